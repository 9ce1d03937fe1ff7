package users_test

import (
	"net/http"
	"strings"
	"testing"

	"portcullis/services/hotel"
	"portcullis/services/internal/contract"
	"portcullis/services/users"
)

func TestTheContractIsWhatIsServed(t *testing.T) {
	contract.Serves(t, users.Contract(), newWorld(t).service.Handler())
}

func TestAProfileIsItsGuestsAlone(t *testing.T) {
	w := newWorld(t)
	const own = "/v1/guests/g-7/profile"
	if a := w.as("g-7", http.MethodGet, own, ""); a.StatusCode != http.StatusNotFound {
		t.Errorf("before the first: %d", a.StatusCode)
	}
	put := w.as("g-7", http.MethodPut, own, ada)
	if put.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", put.StatusCode, put.Body)
	}
	shown := w.as("g-7", http.MethodGet, own, "")
	if string(shown.Body) != string(put.Body) {
		t.Errorf("shown as %s, put as %s", shown.Body, put.Body)
	}
	var p hotel.Profile
	shown.Into(t, &p)
	if p.Guest != "g-7" || p.Name != "Ada Lovelace" || p.Email != "ada@guest.test" || p.Updated.IsZero() {
		t.Errorf("%+v", p)
	}
	for _, path := range []string{"profile", "export", "removal"} {
		if a := w.as("g-9", http.MethodGet, "/v1/guests/g-7/"+path, ""); a.StatusCode != http.StatusForbidden {
			t.Errorf("another's %s: %d", path, a.StatusCode)
		}
	}
	if a := w.as("g-9", http.MethodPost, "/v1/guests/g-7/removal", ""); a.StatusCode != http.StatusForbidden {
		t.Errorf("another asks for the removal: %d", a.StatusCode)
	}
	if a := w.as("g-9", http.MethodPut, own, ada); a.StatusCode != http.StatusForbidden {
		t.Errorf("another changes it: %d", a.StatusCode)
	}
}

func TestSubjectsOfOtherIssuersAreGuestsToo(t *testing.T) {
	w := newWorld(t)
	if a := w.as("auth0|12/3", http.MethodPut, "/v1/guests/auth0%7C12%2F3/profile", ada); a.StatusCode != http.StatusOK {
		t.Errorf("%d %s", a.StatusCode, a.Body)
	}
	for _, bad := range []string{"..", "%2E%2E", strings.Repeat("g", 300)} {
		sub := strings.ReplaceAll(bad, "%2E", ".")
		if a := w.as(sub, http.MethodPut, "/v1/guests/"+bad+"/profile", ada); a.StatusCode < 400 {
			t.Errorf("%.20s: %d", bad, a.StatusCode)
		}
	}
}

func TestWhatIsNoProfileIsRefused(t *testing.T) {
	w := newWorld(t)
	for name, body := range map[string]string{
		"no name":                       `{"email":"a@b.test"}`,
		"a blank name":                  `{"name":"   ","email":"a@b.test"}`,
		"a name too long":               `{"name":"` + strings.Repeat("x", 101) + `","email":"a@b.test"}`,
		"a name of two lines":           `{"name":"a\nb","email":"a@b.test"}`,
		"a name that turns text around": `{"name":"a\u202eb","email":"a@b.test"}`,
		"no address":                    `{"name":"a"}`,
		"an address with a name":        `{"name":"a","email":"Ada <a@b.test>"}`,
		"an address and a header":       `{"name":"a","email":"a@b.test\r\nBcc: c@d.test"}`,
		"two addresses":                 `{"name":"a","email":"a@b.test,c@d.test"}`,
		"a quoted address":              `{"name":"a","email":"\"a b\"@c.test"}`,
		"a phone of letters":            `{"name":"a","email":"a@b.test","phone":"call me"}`,
		"a field of somebody else's":    `{"name":"a","email":"a@b.test","guest":"g-9"}`,
	} {
		if a := w.as("g-7", http.MethodPut, "/v1/guests/g-7/profile", body); a.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d %s", name, a.StatusCode, a.Body)
		}
	}
}

func TestWhoMayAsk(t *testing.T) {
	w := newWorld(t)
	mint := func(scope, audience string) string {
		return w.issuer.Mint(map[string]any{"aud": audience, "sub": "g-7", "scope": scope})
	}
	for name, c := range map[string]struct {
		bearer, method, path string
		want                 int
	}{
		"nobody":                      {"", http.MethodGet, "/v1/guests/g-7/profile", 401},
		"a neighbour's token":         {mint(every, "reservations"), http.MethodGet, "/v1/guests/g-7/profile", 401},
		"who reads does not write":    {mint(hotel.ScopeProfileRead, "users"), http.MethodPut, "/v1/guests/g-7/profile", 403},
		"nor removes":                 {mint(hotel.ScopeProfileRead, "users"), http.MethodPost, "/v1/guests/g-7/removal", 403},
		"who writes does not export":  {mint(hotel.ScopeProfileWrite, "users"), http.MethodGet, "/v1/guests/g-7/export", 403},
		"a guest tells of no booking": {mint(hotel.ScopeProfileWrite+" "+hotel.ScopeProfileRead, "users"), http.MethodPost, "/v1/events", 403},
	} {
		if a := w.with(c.bearer, c.method, c.path, ""); a.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", name, a.StatusCode, c.want)
		}
	}
}
