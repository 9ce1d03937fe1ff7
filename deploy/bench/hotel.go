package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// bookers book at the same time, as many as keep two processors busy.
	bookers = 4
	// bookings is how many are made; quotes, with which they are compared, take
	// the same way and store nothing.
	bookings, quotes = 200, 1000
	// settleTime bounds the wait for receipts and mails, which follow by
	// themselves.
	settleTime = 2 * time.Minute
)

// hotel is the whole system as `make run` starts it, with limits that a load
// generator does not meet.
type hotel struct {
	dir    string
	up     *exec.Cmd
	url    string // of the gateway
	bearer string
	client *http.Client
}

// booked measures what a paid booking costs, process by process.
func (s *system) booked(ctx context.Context) error {
	fmt.Fprintln(os.Stderr, "starting the hotel")
	h, err := s.newHotel(ctx)
	if h != nil {
		defer h.stop()
	}
	if err != nil {
		return fmt.Errorf("the hotel: %w", err)
	}
	if _, err := h.measure(ctx, bookers*2, h.quote); err != nil { // keys, tokens and connections are fetched
		return err
	}
	quoted, err := h.measure(ctx, quotes, h.quote)
	if err != nil {
		return err
	}
	made, err := h.measure(ctx, bookings, h.book)
	if err != nil {
		return err
	}
	return reportBookings(os.Stdout, quoted, made)
}

func (s *system) newHotel(ctx context.Context) (*hotel, error) {
	for name, path := range map[string]string{"hotel": "portcullis/services/cmd/hotel", "up": "portcullis/deploy/local"} {
		cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", filepath.Join(s.dir, name), path)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("building %s: %w", name, err)
		}
	}
	h := &hotel{dir: filepath.Join(s.dir, "hotel-run")}
	policies := filepath.Join(s.dir, "hotel-policies")
	if err := generous("policies", policies); err != nil {
		return nil, err
	}
	base, err := freeBase()
	if err != nil {
		return nil, err
	}
	h.url = fmt.Sprintf("https://localhost:%d", base+443)
	log, err := os.Create(filepath.Join(s.dir, "hotel.log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	h.up = exec.CommandContext(ctx, filepath.Join(s.dir, "up"), "--bin", s.dir, "--policies", policies,
		"--certs", filepath.Join(s.dir, "hotel-certs"), "--run", h.dir, "--port-base", strconv.Itoa(base))
	h.up.Stdout, h.up.Stderr = log, log
	h.up.Cancel = func() error { return h.up.Process.Signal(syscall.SIGTERM) }
	if err := h.up.Start(); err != nil {
		return nil, err
	}
	for range 600 {
		if _, err = os.Stat(filepath.Join(h.dir, "env")); err == nil {
			return h, h.signIn(ctx, s, filepath.Join(s.dir, "hotel-certs"))
		}
		select {
		case <-ctx.Done():
			return h, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	said, _ := os.ReadFile(log.Name())
	return h, fmt.Errorf("it did not start:\n%s", said)
}

func (h *hotel) stop() {
	_ = h.up.Process.Signal(syscall.SIGTERM)
	_ = h.up.Wait()
}

// signIn gets the token of a client that may pay by card.
func (h *hotel) signIn(ctx context.Context, s *system, certs string) error {
	pool, err := roots(filepath.Join(certs, "ca.pem"))
	if err != nil {
		return err
	}
	h.client = &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}, MaxIdleConnsPerHost: bookers},
		Timeout:   30 * time.Second,
	}
	cmd := exec.CommandContext(ctx, filepath.Join(s.dir, "authserver"), "token", "get", "--client-id", "demo",
		"--client-secret-file", filepath.Join(h.dir, "secrets", "demo"), "--url", strings.TrimSuffix(h.url, "443")+"444",
		"--audience", "gateway", "--ca", filepath.Join(certs, "ca.pem"))
	out, err := cmd.Output()
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("a token: %s", failed.Stderr)
	}
	h.bearer = strings.TrimSpace(string(out))
	return err
}

// roots reads the authorities in a file.
func roots(file string) (*x509.CertPool, error) {
	ca, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, errors.New("the development authority's file holds no certificate")
	}
	return pool, nil
}

// generous copies policies: without tests, which would fail, with limits that
// nobody meets, and with the right to pay for the client of the tour.
func generous(from, to string) error {
	rate := regexp.MustCompile(`rate: \d+/\w+(, burst: \d+)?`)
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (name == "tests" || name == "policy"):
			return fs.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		switch name {
		case "limits.yaml":
			data = rate.ReplaceAll(data, []byte("rate: 1000000/1s"))
		case "clients.yaml":
			data = bytes.Replace(data, []byte("{name: gateway, scopes: [search:read, reservations:read, reservations:write"),
				[]byte("{name: gateway, scopes: [charges:write, search:read, reservations:read, reservations:write"), 1)
		}
		return os.WriteFile(filepath.Join(to, name), data, 0o600)
	})
}

// freeBase finds a base whose ports are free.
func freeBase() (int, error) {
	for base := 30000; base < 60000; base += 2000 {
		free := true
		for _, port := range []int{443, 444, 1101, 1102, 1103, 1104, 1105, 1106, 1107, 1901} {
			l, err := net.Listen("tcp", fmt.Sprintf("localhost:%d", base+port))
			if err != nil {
				free = false
				break
			}
			_ = l.Close()
		}
		if free {
			return base, nil
		}
	}
	return 0, errors.New("no range of ports is free for the hotel")
}

// spent is the CPU time of each process of the hotel.
func (h *hotel) spent() (map[string]time.Duration, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	all := map[string]time.Duration{}
	for _, file := range stats {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(data), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 2 || fields[1] != strconv.Itoa(h.up.Process.Pid) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			return nil, err
		}
		line, err := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
		if err != nil {
			return nil, err
		}
		args := strings.Split(string(line), "\x00")
		name := filepath.Base(args[0])
		if name == "hotel" && len(args) > 1 {
			name = args[1]
		}
		if all[name], err = cpu(pid); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// cost is what some work took.
type cost struct {
	n     int
	took  time.Duration // until the last was answered
	spent map[string]time.Duration
}

// measure does something n times and waits until what follows from it is done.
func (h *hotel) measure(ctx context.Context, n int, do func(ctx context.Context, i int) error) (*cost, error) {
	before, err := h.spent()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	var next atomic.Int64
	var failed error
	var once sync.Once
	var all sync.WaitGroup
	for range bookers {
		all.Go(func() {
			for i := next.Add(1); i <= int64(n) && ctx.Err() == nil; i = next.Add(1) {
				if err := do(ctx, int(i)); err != nil {
					once.Do(func() { failed = err; next.Store(int64(n)) })
				}
			}
		})
	}
	all.Wait()
	c := &cost{n: n, took: time.Since(began), spent: map[string]time.Duration{}}
	if failed != nil {
		return nil, failed
	}
	if err := h.settle(ctx); err != nil {
		return nil, err
	}
	after, err := h.spent()
	if err != nil {
		return nil, err
	}
	for name, t := range after {
		c.spent[name] = t - before[name]
	}
	return c, nil
}

// settle waits until the processes rest: receipts are rendered and mails sent.
func (h *hotel) settle(ctx context.Context) error {
	const rest, busy = 500 * time.Millisecond, 25 * time.Millisecond
	for end := time.Now().Add(settleTime); time.Now().Before(end); {
		before, err := h.spent()
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(rest):
		}
		after, err := h.spent()
		if err != nil {
			return err
		}
		var used time.Duration
		for name := range after {
			used += after[name] - before[name]
		}
		if used < busy {
			return nil
		}
	}
	return errors.New("the hotel does not come to rest")
}

// stay is one of many hotels and nights, so that no house is full.
func stay(i int) string {
	from := time.Now().AddDate(0, 0, 10+i%300)
	return fmt.Sprintf(`"hotel":"h-1","from":%q,"to":%q,"guests":2`, from.Format(time.DateOnly), from.AddDate(0, 0, 1).Format(time.DateOnly))
}

func (h *hotel) quote(ctx context.Context, i int) error {
	return h.post(ctx, "/v1/quotes", "", "{"+stay(i)+"}", http.StatusOK)
}

func (h *hotel) book(ctx context.Context, i int) error {
	card := `,"note":"","name":"Ada Lovelace","email":"ada@example.com","card":{"number":"4242424242424242","expiry":"` +
		time.Now().AddDate(2, 0, 0).Format("01/06") + `","code":"123"}`
	return h.post(ctx, "/v1/reservations", fmt.Sprintf("bench-%d", i), "{"+stay(i)+card+"}", http.StatusCreated)
}

func (h *hotel) post(ctx context.Context, path, key, body string, want int) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+h.bearer)
	r.Header.Set("Content-Type", "application/json")
	if key != "" {
		r.Header.Set("Idempotency-Key", key)
	}
	res, err := h.client.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil || res.StatusCode == want || want == http.StatusCreated && res.StatusCode == http.StatusAccepted {
		return err
	}
	var said struct{ Title, Detail string }
	_ = json.Unmarshal(text, &said) // the status says enough
	return fmt.Errorf("POST %s answered %d: %s %s", path, res.StatusCode, said.Title, said.Detail)
}

// reportBookings prints what a booking costs, beside a quote, which takes the
// same way through gateway and reservations to search and stores nothing.
func reportBookings(w io.Writer, quoted, made *cost) error {
	var b strings.Builder
	fmt.Fprintf(&b, "\nBookings paid by card, through the whole chain, %d at once, beside quotes of the same run\n\n", bookers)
	fmt.Fprintf(&b, "  %-14s %10.0f /s   quotes %.0f /s\n\n", "answered", made.rate(), quoted.rate())
	fmt.Fprintf(&b, "  %-14s %14s %14s\n", "CPU of", "a booking", "a quote")
	for _, name := range slices.SortedFunc(maps.Keys(made.spent), func(a, b string) int { return cmp.Compare(made.spent[b], made.spent[a]) }) {
		fmt.Fprintf(&b, "  %-14s %11.0f us %11.0f us\n", name, made.each(made.spent[name]), quoted.each(quoted.spent[name]))
	}
	fmt.Fprintf(&b, "  %-14s %11.0f us %11.0f us   x%.1f\n", "all", made.each(made.all()), quoted.each(quoted.all()), made.each(made.all())/quoted.each(quoted.all()))
	_, err := io.WriteString(w, b.String())
	return err
}

func (c *cost) rate() float64 { return float64(c.n) / c.took.Seconds() }

// each is a share of a time, in microseconds.
func (c *cost) each(t time.Duration) float64 { return float64(t.Microseconds()) / float64(c.n) }

func (c *cost) all() time.Duration {
	var sum time.Duration
	for _, t := range c.spent {
		sum += t
	}
	return sum
}
