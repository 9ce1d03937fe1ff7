package pipeline

import "testing"

func TestAValueWithoutANameIsToldFromAName(t *testing.T) {
	t.Parallel()
	for pair, want := range map[string]bool{
		"TOKEN": true, "c2VjcmV0IHRva2VuMQ==": true, "c2VjcmV0IHRva2VuMTE=": true,
		"": false, "q=": false, "q=1": false, "=TOKEN": false, "page==": false, "c2VjcmV0IHRva2VuMQ=1": false, "a-longer-name=": false,
	} {
		if got := ValueAlone(pair); got != want {
			t.Errorf("%q: %v", pair, got)
		}
	}
}
