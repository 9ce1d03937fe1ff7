package condition

import (
	"net/http/httptest"
	"testing"

	"portcullis/authserver/token"
	"portcullis/gateway/internal/pipeline"
)

// What is pooled must not keep a request alive, nor grow with each.
func TestNothingOfARequestWaitsInThePool(t *testing.T) {
	t.Parallel()
	tx := &pipeline.Transaction{
		Request: httptest.NewRequest("GET", "/?a=b", nil), Params: pipeline.Params{{Name: "user", Value: "u-9"}},
		Principal: &token.Principal{Subject: "u-7", Scopes: []string{"a"}, Claims: map[string]any{"tenant": "acme", "groups": []string{"staff"}, "level": int64(500)}},
	}
	v := &values{tx: tx}
	for _, name := range []string{"params.user", "token.sub", "token.scopes", "token.claims", "token.tenant", "token.groups", "token.level", "request.query", "request.headers", "source.ip"} {
		if _, found := v.ResolveName(name); !found {
			t.Fatalf("%s is unknown", name)
		}
	}
	v.reset()
	if v.tx != nil || v.sub != "" || v.scopes.list != nil || v.query.query != nil || v.headers.header != nil || len(v.params) != 0 {
		t.Errorf("%+v", v)
	}
	for _, p := range v.params[:cap(v.params)] {
		if p != (param{}) {
			t.Errorf("%+v", p)
		}
	}
	for _, c := range v.claims {
		if c.name != "" || c.text != "" || c.texts.list != nil || c.number != 0 {
			t.Errorf("%+v", c)
		}
	}
}
