package proof

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func jsonOf(size int) string {
	var b strings.Builder
	b.WriteString(`{"customer":{"id":4711,"name":"Jane Roe","email":"jane.roe@example.com"},"note":"please deliver before noon, thanks","items":[`)
	for i := 0; b.Len() < size-90; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"sku":"AB-%05d","qty":%d,"price":%d.99,"title":"Blue widget number %d"}`, i, i%7+1, i*3+10, i)
	}
	return b.String() + `]}`
}

func formOf(size int) string {
	v := url.Values{}
	for i := 0; len(v.Encode()) < size-40; i++ {
		v.Set(fmt.Sprintf("field_%02d", i), fmt.Sprintf("some ordinary value %d for the field", i))
	}
	return v.Encode()
}

// theCases are those of the study.
func theCases() map[string]*request {
	return map[string]*request{
		"a GET":         get("/api/v1/orders/12345"),
		"b GET 5 args":  get("/api/v1/search?q=blue+widgets&page=2&per_page=50&sort=created_at&filter=status%3Aopen"),
		"c JSON 1 KB":   post("application/json", jsonOf(1024)),
		"e form 1 KB":   post("application/x-www-form-urlencoded", formOf(1024)),
		"f SQLi in GET": get("/api/v1/search?q=1%27%20UNION%20SELECT%20username,password%20FROM%20users--%20-&page=2"),
	}
}

func TestTheCasesOfTheStudy(t *testing.T) {
	t.Parallel()
	p, w := shared(t)
	if u := p.Unprovable(); len(u) > 0 {
		t.Errorf("a rule of the set is not provable: %v", u)
	}
	t.Logf("%+v", p.Stats())
	for name, r := range theCases() {
		v, e := p.asked(r), effects(w, r)
		if v.Clean != (e == "") {
			t.Errorf("%s: %+v, the engine: %q", name, v, e)
		}
	}
}
