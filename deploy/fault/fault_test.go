package fault_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"portcullis/deploy/fault"
)

// world is a server over TLS behind a proxy.
type world struct {
	t     *testing.T
	proxy *fault.Proxy
	asked atomic.Int64
	tls   *httptest.Server
	kept  *http.Client // keeps its connection
}

const answerBytes = 100 << 10

// patience bounds what would wait for ever.
const patience = time.Minute

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t}
	w.tls = httptest.NewUnstartedServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		w.asked.Add(1)
		_, _ = io.WriteString(out, strings.Repeat("x", answerBytes))
	}))
	w.tls.Config.ErrorLog = log.New(io.Discard, "", 0) // of those who hang up
	w.tls.StartTLS()
	t.Cleanup(w.tls.Close)
	var err error
	if w.proxy, err = fault.New(w.tls.Listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.proxy.Close() })
	w.kept = w.client()
	return w
}

func (w *world) client() *http.Client {
	transport := w.tls.Client().Transport.(*http.Transport).Clone()
	w.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (w *world) set(f fault.Fault) {
	w.t.Helper()
	if err := w.proxy.Set(f); err != nil {
		w.t.Fatal(err)
	}
}

// ask tells how much of the answer came, how long it took, and what went wrong.
func (w *world) ask(client *http.Client, within time.Duration) (n int, took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(w.t.Context(), within)
	defer cancel()
	return w.askIn(ctx, client)
}

func (w *world) askIn(ctx context.Context, client *http.Client) (n int, took time.Duration, err error) {
	began := time.Now()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+w.proxy.Addr(), nil)
	if err != nil {
		return 0, 0, err
	}
	res, err := client.Do(req)
	if err != nil {
		return 0, time.Since(began), err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return len(body), time.Since(began), err
}

func (w *world) whole() {
	w.t.Helper()
	for name, client := range map[string]*http.Client{"a kept connection": w.kept, "a new one": w.client()} {
		if n, _, err := w.ask(client, patience); n != answerBytes || err != nil {
			w.t.Fatalf("over %s came %d bytes, %v", name, n, err)
		}
	}
}

func TestWithoutAFaultAllOfItComesThrough(t *testing.T) {
	t.Parallel()
	newWorld(t).whole()
}

func TestDelayHoldsAnswersBackAndNotRequests(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.whole()
	before := w.asked.Load()
	w.set(fault.Delay(time.Hour))
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, _, err := w.askIn(ctx, w.kept)
		ended <- err
	}()
	for w.asked.Load() == before && ctx.Err() == nil { // the request arrives: only the answer is late
		time.Sleep(5 * time.Millisecond)
	}
	leave()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("there was an answer: %v", err)
	}
	w.set(fault.Delay(300 * time.Millisecond))
	if _, took, err := w.ask(w.client(), patience); err != nil || took < 600*time.Millisecond {
		t.Errorf("on a new connection, which asks twice, it took %v, %v", took, err)
	}
	w.set(fault.None())
	w.whole()
}

func TestAChangeEndsADelayUnderWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.whole()
	w.set(fault.Delay(time.Hour))
	go func() {
		time.Sleep(50 * time.Millisecond)
		_ = w.proxy.Set(fault.None())
	}()
	if n, _, err := w.ask(w.kept, patience); n != answerBytes || err != nil {
		t.Errorf("%d bytes came, %v", n, err)
	}
}

func TestCutAfterEndsAnAnswerInTheMiddle(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, after := range map[string]int64{"at once": 0, "in the first piece": 100, "in the middle": answerBytes / 2} {
		w.whole()
		before := w.asked.Load()
		w.set(fault.CutAfter(after))
		n, _, err := w.ask(w.kept, patience)
		if err == nil || int64(n) > after {
			t.Errorf("%s: %d bytes came, %v", name, n, err)
		}
		if after > answerBytes/4 && n == 0 {
			t.Errorf("%s: nothing came", name)
		}
		if got := w.asked.Load() - before; got < 1 {
			t.Errorf("%s: the server was not asked", name)
		}
		w.set(fault.None())
	}
	w.whole()
}

func TestRefuseResetsWhatIsOpenAndRefusesWhatIsNew(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 3 {
		w.whole()
		before := w.asked.Load()
		w.set(fault.Refuse())
		w.set(fault.Refuse()) // once more changes nothing
		for name, client := range map[string]*http.Client{"a kept connection": w.kept, "a new one": w.client()} {
			if _, _, err := w.ask(client, patience); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("over %s: %v", name, err)
			}
		}
		if got := w.asked.Load(); got != before {
			t.Errorf("the server was asked")
		}
		w.set(fault.None())
	}
	w.whole()
}

func TestHangPassesNothingOnUntilItEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.whole()
	before := w.asked.Load()
	w.set(fault.Hang())
	for name, client := range map[string]*http.Client{"a kept connection": w.kept, "a new one": w.client()} {
		if _, _, err := w.ask(client, 100*time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("over %s: %v", name, err)
		}
	}
	if got := w.asked.Load(); got != before {
		t.Error("the server was asked")
	}
	go func() {
		time.Sleep(50 * time.Millisecond)
		_ = w.proxy.Set(fault.None())
	}()
	if n, _, err := w.ask(w.client(), patience); n != answerBytes || err != nil {
		t.Errorf("who waited got %d bytes, %v", n, err)
	}
	w.whole()
}

func TestATargetThatIsNotThereIsSeenAsOneThatHangsUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tls.Close()
	if _, _, err := w.ask(w.client(), patience); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ends with %v", err)
	}
}

func TestCloseEndsEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.whole()
	w.set(fault.Hang())
	ended := make(chan error, 1)
	go func() {
		_, _, err := w.ask(w.client(), time.Minute)
		ended <- err
	}()
	time.Sleep(50 * time.Millisecond)
	if err := w.proxy.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("somebody was answered")
	}
	if err := w.proxy.Close(); err != nil {
		t.Errorf("closed twice: %v", err)
	}
	if err := w.proxy.Set(fault.None()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("set after the end: %v", err)
	}
}

func TestATargetWithoutAPortIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := fault.New("localhost"); err == nil {
		t.Error("it was taken")
	}
}
