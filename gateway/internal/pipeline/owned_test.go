package pipeline_test

import (
	"net/textproto"
	"strings"
	"testing"

	"portcullis/gateway/internal/pipeline"
)

func TestEveryFieldHasItsOwner(t *testing.T) {
	t.Parallel()
	const client pipeline.Owner = 0
	for name, want := range map[string]pipeline.Owner{
		"Accept": client, "Cookie": client, "Content-Type": client, "X-Custom": client, "": client, "Xylophone": client, "Hosts": client, "Profile": client, "X-Api-Key": client,
		"Connection": pipeline.EndsHere, "Te": pipeline.EndsHere, "Trailer": pipeline.EndsHere, "Upgrade": pipeline.EndsHere, "Transfer-Encoding": pipeline.EndsHere,
		"Proxy-Authorization": pipeline.EndsHere | pipeline.Claimed, "Proxy": pipeline.Claimed,
		"Authorization": pipeline.Written, "Content-Length": pipeline.Written, "Host": pipeline.Written, "Traceparent": pipeline.Written,
		"X-Forwarded-For": pipeline.Claimed | pipeline.Ours, "X-Forwarded-Anything": pipeline.Claimed | pipeline.Ours, "Portcullis-Subject": pipeline.Claimed | pipeline.Ours,
		"X-Real-Ip": pipeline.Claimed | pipeline.Ours, "X-Real-Port": pipeline.Claimed, "X-Original-Url": pipeline.Claimed, "Remote-User": pipeline.Claimed, "X-User-Id": pipeline.Claimed,
		"X_user": pipeline.Claimed | pipeline.Ours, "X.user": pipeline.Claimed | pipeline.Ours, "X user": pipeline.Claimed | pipeline.Ours, "Content_type": pipeline.Claimed | pipeline.Ours,
	} {
		if got := pipeline.OwnerOf(name); got != want {
			t.Errorf("%q: %b, want %b", name, got, want)
		}
	}
	for _, f := range pipeline.OwnedFields() {
		if got := pipeline.OwnerOf(f.Name); got != f.Owner || !f.Prefix && textproto.CanonicalMIMEHeaderKey(f.Name) != f.Name {
			t.Errorf("%q: %b, and the table says %b; names in it are in canonical form", f.Name, got, f.Owner)
		}
		if f.Prefix && !strings.HasPrefix(textproto.CanonicalMIMEHeaderKey(f.Name+"x"), f.Name) {
			t.Errorf("no name in canonical form begins with %q", f.Name)
		}
	}
}

func TestWhoOwnsAFieldIsToldWithoutAllocation(t *testing.T) {
	names := []string{"Accept", "User-Agent", "Accept-Encoding", "Cookie", "X-Forwarded-For", "X-Zulu", "Authorization"}
	if n := testing.AllocsPerRun(100, func() {
		for _, name := range names {
			pipeline.OwnerOf(name)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
