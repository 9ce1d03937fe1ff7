package waf

import (
	"math"
	"net/http"
	"testing"

	"portcullis/gateway/internal/pipeline"
)

// TestANameGivenAgainHidesNoAttack asks all rules two hundred times about an
// attack beside values of the same name. Each has the score of the attack alone,
// which chance took parts of before.
func TestANameGivenAgainHidesNoAttack(t *testing.T) {
	t.Parallel()
	const others = "&a=1&b=2&c=3&d=4&e=5&f=6"
	const click, escaped = `<b onclick=x>`, "%3Cb+onclick%3Dx%3E"
	tries := 200
	if raceEnabled {
		tries = 40
	}
	for name, tc := range map[string]struct{ alone, beside *pipeline.Transaction }{
		"in a form": {
			request("POST", "/", formMedia, "q="+escaped+others),
			request("POST", "/", formMedia, "q="+escaped+"&q=1&q=2"+others),
		},
		"in a form, without a name": {
			request("POST", "/", formMedia, "="+escaped+others),
			request("POST", "/", formMedia, "="+escaped+"&=1&=2"+others),
		},
		"in a query": {
			request("GET", "/?q="+escaped+others, "", ""),
			request("GET", "/?q="+escaped+"&q=1&q=2"+others, "", ""),
		},
		"in a query, without a name": {
			request("GET", "/?="+escaped+others, "", ""),
			request("GET", "/?="+escaped+"&=1&=2"+others, "", ""),
		},
		"in JSON": {
			request("POST", "/", jsonMedia, `{"q":"`+click+`","a":"1","b":"2","c":"3","d":"4","e":"5"}`),
			request("POST", "/", jsonMedia, `{"q":"`+click+`","q":"1","q":"2","a":"1","b":"2","c":"3","d":"4","e":"5"}`),
		},
		"in cookies": {
			cookies("q=" + click + "; a=1; b=2; c=3; d=4; e=5"),
			cookies("q=" + click + "; q=1; q=2; a=1; b=2; c=3; d=4; e=5"),
		},
		"in fields of the header": {
			field("X-Q", "${jndi:ldap://x/y}"),
			field("X-Q", "${jndi:ldap://x/y}", "1", "2"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			want := scored(t, tc.alone)
			if want < critical {
				t.Fatalf("alone it is given %d", want)
			}
			for range tries {
				if got := scored(t, tc.beside); got != want {
					t.Fatalf("beside values of the same name it is given %d, alone %d", got, want)
				}
			}
		})
	}
}

// scored is what all rules give a request.
func scored(t *testing.T, tx *pipeline.Transaction) int {
	t.Helper()
	i := inspector(t)
	if tx.Body == nil {
		if err := tx.ReadBody(i.profile.Body); err != nil {
			t.Fatal(err)
		}
	}
	body := tx.Body
	f, err := i.profile.bounded(tx, body)
	if err != nil {
		t.Fatal(err)
	}
	s := i.subject(tx, body, f)
	defer i.release(s)
	found, err := i.inspect(t.Context(), s, math.MaxInt32)
	if err != nil {
		t.Fatal(err)
	}
	return found.Score
}

func cookies(line string) *pipeline.Transaction {
	tx := request("GET", "/", "", "")
	tx.Request.Header["Cookie"] = []string{line}
	return tx
}

func field(name string, values ...string) *pipeline.Transaction {
	tx := request("GET", "/", "", "")
	for _, other := range []string{"X-A", "X-B", "X-C", "X-D"} {
		tx.Request.Header[other] = []string{"1"}
	}
	tx.Request.Header[http.CanonicalHeaderKey(name)] = values
	return tx
}
