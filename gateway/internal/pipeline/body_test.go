package pipeline

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// sent makes the transaction of a request with a body of a length, -1 for one
// that is not announced.
func sent(body io.Reader, length int64) *Transaction {
	return &Transaction{Request: &http.Request{Body: io.NopCloser(body), ContentLength: length}}
}

func TestWhoWatchesABodySeesAllThatPassesAndOnlyWhole(t *testing.T) {
	const text = `{"note":"a quiet room"}`
	broken := errors.New("the client hung up")
	for name, tc := range map[string]struct {
		body   io.Reader
		length int64
		most   int64
		read   int64 // how much is taken of it
		seen   string
		err    error
		never  bool
	}{
		"a body of a length":                       {strings.NewReader(text), int64(len(text)), 100, 100, text, nil, false},
		"a body of a length, read no further":      {strings.NewReader(text), int64(len(text)), 100, int64(len(text)), text, nil, false},
		"a body that does not say how long it is":  {iotest.OneByteReader(strings.NewReader(text)), -1, 100, 100, text, nil, false},
		"a body as long as may be":                 {strings.NewReader(text), -1, int64(len(text)), 100, text, nil, false},
		"a body longer than that":                  {strings.NewReader(text), -1, int64(len(text)) - 1, 100, "", ErrBodyTooLong, false},
		"a body longer than that, of which enough": {iotest.OneByteReader(strings.NewReader(text)), -1, 10, 11, "", ErrBodyTooLong, false},
		"a body announced longer than that":        {strings.NewReader(text), int64(len(text)), 10, 0, "", ErrBodyTooLong, false},
		"a body that nobody wants":                 {strings.NewReader(text), -1, 100, 0, "", nil, true},
		"a body of which half is wanted":           {strings.NewReader(text), -1, 100, 10, "", nil, true},
		"a body that breaks off":                   {io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), -1, 100, 100, "", nil, true},
		"a body shorter than announced":            {io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), 90, 100, 100, "", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			tx := sent(tc.body, tc.length)
			calls, seen, err := 0, "", error(nil)
			tx.WatchBody(tc.most, func(body []byte, e error) { calls++; seen, err = string(body), e })
			passed, _ := io.ReadAll(io.LimitReader(tx.Request.Body, tc.read))
			if want := text[:min(tc.read, int64(len(text)))]; string(passed) != want {
				t.Errorf("%q passed, want %q", passed, want)
			}
			tx.Done()
			if seen != tc.seen || !errors.Is(err, tc.err) || calls == 0 != tc.never || calls > 1 {
				t.Errorf("told %d times of %q, %v", calls, seen, err)
			}
		})
	}
}

func TestABodyThatIsThereIsSeenAtOnce(t *testing.T) {
	for name, tc := range map[string]struct {
		tx   *Transaction
		most int64
		want string
		err  error
	}{
		"read by a stage before":                 {&Transaction{Request: &http.Request{Body: http.NoBody}, Body: []byte("{}"), Buffered: true}, 2, "{}", nil},
		"read by a stage before that reads more": {&Transaction{Request: &http.Request{Body: http.NoBody}, Body: []byte("{}"), Buffered: true}, 1, "", ErrBodyTooLong},
		"none":                                   {&Transaction{Request: &http.Request{}}, 1, "", nil},
		"an empty one":                           {sent(strings.NewReader(""), 0), 1, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			tc.tx.WatchBody(tc.most, func(body []byte, err error) {
				calls++
				if string(body) != tc.want || !errors.Is(err, tc.err) {
					t.Errorf("told of %q, %v", body, err)
				}
			})
			tc.tx.Done()
			if calls != 1 {
				t.Errorf("told %d times", calls)
			}
		})
	}
}

func TestABodyIsReadOnceForAllStages(t *testing.T) {
	tx := sent(strings.NewReader("{}"), -1)
	watched := ""
	tx.WatchBody(10, func(body []byte, _ error) { watched = string(body) })
	for range 2 {
		if err := tx.ReadBody(10); err != nil || string(tx.Body) != "{}" || !tx.Buffered {
			t.Fatalf("%q, %v", tx.Body, err)
		}
	}
	if tx.ReadBody(1) == nil {
		t.Error("a stage was given more than it reads")
	}
	if tx.Done(); watched != "{}" {
		t.Errorf("who watched saw %q", watched)
	}
}
