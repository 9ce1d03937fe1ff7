package compile

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"portcullis/authserver/token"
	"portcullis/authserver/token/tokentest"
	"portcullis/gateway/internal/pipeline"
	"portcullis/policies/policy"
)

// feed counts the streams by which an issuer's revocations are followed.
type feed struct {
	issuer *tokentest.Issuer
	http.RoundTripper
	open, opened atomic.Int32
}

func newFeed(issuer *tokentest.Issuer) *feed {
	return &feed{issuer: issuer, RoundTripper: issuer.HTTP().Transport}
}

func (f *feed) follow(of Feed) (*token.Revocations, error) {
	cfg := f.issuer.Follow()
	cfg.Stale, cfg.Then, cfg.HTTP = of.Stale, of.Then, &http.Client{Transport: f}
	return token.NewRevocations(cfg)
}

func (f *feed) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := f.RoundTripper.RoundTrip(r)
	if err == nil {
		f.opened.Add(1)
		f.open.Add(1)
		resp.Body = &stream{ReadCloser: resp.Body, feed: f}
	}
	return resp, err
}

type stream struct {
	io.ReadCloser
	feed *feed
	once sync.Once
}

func (s *stream) Close() error {
	s.once.Do(func() { s.feed.open.Add(-1) })
	return s.ReadCloser.Close()
}

func (f *feed) revoke(id string) {
	f.issuer.Revoke(token.Revocation{Kind: token.RevokeToken, Value: id})
}

// eventually polls until something has happened that happens beside.
func eventually(t testing.TB, what string, happened func() bool) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	end := time.After(time.Minute)
	for !happened() {
		select {
		case <-again.C:
		case <-end:
			t.Fatalf("it never happens that %s", what)
		}
	}
}

const (
	unfollowed = "audience: https://api.hotel.test}"
	followed   = "audience: https://api.hotel.test, revocations: {stale: 1m, then: deny}}"
)

// Rules take long to load and decide nothing here.
const loaded, unloaded = "waf: api}", `waf: {none: "of no interest"}}`

func (f *fixture) lean(prev *pipeline.Snapshot, edits ...string) *pipeline.Snapshot {
	return f.compile(prev, append(edits, loaded, unloaded)...)
}

// known tells how many revocations a snapshot knows, -1 while it is stale.
func known(s *pipeline.Snapshot) int {
	status := Issuers(s)["hotel"].Revocations
	if status == nil || status.Stale {
		return -1
	}
	return status.Entries
}

func TestARevokedTokenIsRefusedAndStaysSoAcrossReloads(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	before := f.lean(nil, unfollowed, followed)
	t.Cleanup(func() { f.compiler.Retire(before, &pipeline.Snapshot{}) })
	bearer := f.issuer.Mint(map[string]any{"jti": "stolen", "sub": "g-7", "client_id": "web", "scope": "read"})
	if got := f.decide(before, "/hotels/h-7", bearer); got != "allow" {
		t.Fatalf("before it is revoked: %s", got)
	}
	f.feed.revoke("stolen")
	eventually(t, "the token is refused", func() bool { return f.decide(before, "/hotels/h-7", bearer) == "invalid_token" })
	other := f.mint()
	if got := f.decide(before, "/hotels/h-7", other); got != "allow" {
		t.Errorf("another token: %s", got)
	}
	// Even an issuer that is made anew knows at once what was revoked before.
	after := f.lean(before, unfollowed, followed, "issuers:\n  - {", "issuers:\n  - {lifetime: 30m, ")
	f.compiler.Retire(before, after)
	if got := f.decide(after, "/hotels/h-7", bearer); got != "invalid_token" {
		t.Errorf("after a reload: %s", got)
	}
	if open, opened := f.feed.open.Load(), f.feed.opened.Load(); open != 1 || opened != 1 {
		t.Errorf("%d streams of %d are open, want the one of before", open, opened)
	}
}

func TestAListIsFollowedForAsLongAsASnapshotNeedsIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	first := f.lean(nil, unfollowed, followed)
	eventually(t, "the list is there", func() bool { return known(first) == 0 })

	// Other terms are another list; the one before ends when it is retired.
	second := f.lean(first, unfollowed, strings.Replace(followed, "1m", "2m", 1))
	eventually(t, "both are followed", func() bool { return f.feed.open.Load() == 2 })
	f.compiler.Retire(first, second)
	eventually(t, "one is followed", func() bool { return f.feed.open.Load() == 1 })
	if known(second) != 0 {
		t.Error("the wrong one ended")
	}

	third := f.lean(second)
	f.compiler.Retire(second, third)
	eventually(t, "none is followed", func() bool { return f.feed.open.Load() == 0 })
	if Issuers(third)["hotel"].Revocations != nil {
		t.Error("it is still shown")
	}
}

func TestAFailedCompileLeavesNoListBehind(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	before := f.lean(nil, unfollowed, followed)
	t.Cleanup(func() { f.compiler.Retire(before, &pipeline.Snapshot{}) })
	eventually(t, "the list is there", func() bool { return known(before) == 0 })
	f.noCredential = true
	f.failing = func() {
		eventually(t, "the list of the new terms is followed", func() bool { return f.feed.open.Load() == 2 })
	}
	doc := f.document(written(t, loaded, unloaded, unfollowed, strings.Replace(followed, "1m", "2m", 1)))
	if _, err := f.compiler.Compile(doc, before); err == nil {
		t.Fatal("it did not fail")
	}
	eventually(t, "the list of before is followed, and none besides", func() bool { return f.feed.open.Load() == 1 })
	if known(before) != 0 {
		t.Error("the wrong one ended")
	}
}

func TestAListThatCannotBeFollowedIsAMistakeWithItsPlace(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	f.noFeed = true
	_, err := f.compiler.Compile(f.document(written(t, loaded, unloaded, unfollowed, followed)), nil)
	mistakes, ok := errors.AsType[policy.Mistakes](err)
	if !ok || len(mistakes) != 1 || mistakes[0].Code != CodeIssuer || mistakes[0].Pos.Line != 4 || !strings.Contains(mistakes[0].What, "no token for its feed") {
		t.Errorf("error %v", err)
	}
}

func TestWhatIsRevokedIsShownAndCounted(t *testing.T) {
	t.Parallel()
	f := newFixture(t, fine)
	current := &pipeline.Current{}
	if n := testutil.CollectAndCount(NewCollector(current)); n != 0 {
		t.Errorf("%d series before a policy is in force", n)
	}
	s := f.lean(nil, unfollowed, followed)
	t.Cleanup(func() { f.compiler.Retire(s, &pipeline.Snapshot{}) })
	current.Store(s)
	f.feed.revoke("stolen")
	eventually(t, "it is known", func() bool { return known(s) == 1 })
	shown := Issuers(s)["hotel"].Revocations
	if shown.Seq != 1 || shown.Then != "deny" || time.Since(shown.Heard) > time.Minute {
		t.Errorf("shown as %+v", shown)
	}
	const want = `
# HELP portcullis_revocation_entries Revocations known of an issuer.
# TYPE portcullis_revocation_entries gauge
portcullis_revocation_entries{issuer="hotel"} 1
# HELP portcullis_revocations_stale 1 while an issuer's revocations are missing or too old to be believed.
# TYPE portcullis_revocations_stale gauge
portcullis_revocations_stale{issuer="hotel"} 0
`
	if err := testutil.CollectAndCompare(NewCollector(current), strings.NewReader(want)); err != nil {
		t.Error(err)
	}
	current.Store(f.lean(nil))
	if n := testutil.CollectAndCount(NewCollector(current)); n != 0 {
		t.Errorf("%d series of an issuer that nobody follows", n)
	}
}
