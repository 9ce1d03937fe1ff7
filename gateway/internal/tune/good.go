package tune

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"portcullis/gateway/internal/trial"
	"portcullis/gateway/internal/waf"
	"portcullis/policies/policy"
)

// Bounds on a file of known-good requests.
const (
	goodLineMost = 256 << 10
	goodMost     = 10_000
)

// good is a request that is known to be no attack.
type good struct {
	// name tells people which it is.
	name string
	// text is set for one in the words of must_pass; it stands for any route.
	text string
	// request and body are of any other, and route is the one that takes it.
	request *http.Request
	body    string
	route   string
}

// arguments lists those of the request; none when it cannot be read.
func (g *good) arguments() []waf.Argument {
	var all []waf.Argument
	if g.text != "" {
		all, _ = waf.ArgumentsOf(g.text) // what cannot be read has none that is known
	} else {
		all, _ = waf.Arguments(g.request, g.body)
	}
	return all
}

// readGood reads a file: one request a line, as a text of must_pass or as a curl
// command, which goes on where a line ends in a backslash. Lines that begin with
// # are comments.
func readGood(ctx context.Context, gateway *trial.Trial, name string, r io.Reader) (all []good, err error) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 0, 4096), goodLineMost)
	number, began, whole := 0, 0, ""
	take := func() error {
		text := strings.TrimSpace(whole)
		whole = ""
		if text == "" || strings.HasPrefix(text, "#") {
			return nil
		}
		if len(all) == goodMost {
			return fmt.Errorf("%s: it holds more than %d requests; split it", name, goodMost)
		}
		g, err := readOne(ctx, gateway, text)
		if err != nil {
			return fmt.Errorf("%s:%d: %w", name, began, err)
		}
		g.name = fmt.Sprintf("%s:%d", name, began)
		all = append(all, g)
		return nil
	}
	for scanner.Scan() {
		number++
		line := scanner.Text()
		if whole == "" {
			began = number
		}
		if head, more := strings.CutSuffix(line, `\`); more && isCurl(strings.TrimSpace(whole+line)) {
			whole += head + "\\\n"
			continue
		}
		whole += line
		if err := take(); err != nil {
			return nil, err
		}
	}
	if err := scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
		return nil, fmt.Errorf("%s:%d: the line is longer than %d bytes", name, number+1, goodLineMost)
	} else if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return all, take()
}

func isCurl(text string) bool {
	return strings.HasPrefix(strings.TrimSpace(strings.TrimPrefix(text, "$")), "curl")
}

func readOne(ctx context.Context, gateway *trial.Trial, text string) (good, error) {
	if !isCurl(text) {
		if _, err := waf.ArgumentsOf(text); err != nil {
			return good{}, fmt.Errorf("it is no request: %w; write a JSON body, a query string, or a curl command", err)
		}
		return good{text: text}, nil
	}
	d, err := trial.Curl(text)
	if err != nil {
		return good{}, err
	}
	return described(ctx, gateway, d.Test)
}

func described(ctx context.Context, gateway *trial.Trial, test *policy.Test) (good, error) {
	r, body, route, err := gateway.Asked(ctx, test)
	if err != nil {
		return good{}, err
	}
	g := good{request: r, body: body}
	if route == nil {
		return g, fmt.Errorf("no route takes %s %s", r.Method, r.URL.Path)
	}
	g.route = route.Name
	return g, nil
}

// goodTests are the requests of the policies' own tests that are to be allowed.
func goodTests(ctx context.Context, gateway *trial.Trial, doc *policy.Document) (all []good) {
	for _, test := range doc.Tests {
		e := test.Expect
		allowed := e.Decision.V == "allow" || e.Decision.V == "" && e.Status.V >= 200 && e.Status.V < 400
		if !allowed || e.Stage.V != "" {
			continue
		}
		// One that cannot be sent is what gateway test tells of.
		if g, err := described(ctx, gateway, test); err == nil {
			g.name = fmt.Sprintf("the test %q", test.Name.V)
			all = append(all, g)
		}
	}
	return all
}
