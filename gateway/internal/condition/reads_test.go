package condition_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"portcullis/gateway/internal/pipeline"
)

func TestWhatAConditionReadsIsKnownBeforehand(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]pipeline.Reads{
		"token.sub == params.user && request.path != '/'":                                  {},
		"request.headers['x-partner'] == 'acme' && 'x-beta' in request.headers":            {Headers: []string{"X-Partner", "X-Beta"}},
		"has(request.query.page) && request.query['page'] != request.query.tag":            {Query: []string{"page", "tag"}},
		"request.headers['authorization'] != ''":                                           {Any: true},
		"request.headers.exists(name, name == 'x-partner')":                                {Any: true},
		"size(request.query) < 5":                                                          {Any: true},
		"request.headers[token.sub] == 'x' && request.query['page'] == '1'":                {Any: true, Query: []string{"page"}},
		"token.scopes.exists(s, request.query['scope'] == s && request.headers['x'] == s)": {Headers: []string{"X"}, Query: []string{"scope"}},
	} {
		if diff := cmp.Diff(want, compile(t, text).Reads()); diff != "" {
			t.Errorf("%s\n%s", text, diff)
		}
	}
}
