package tune

import (
	"errors"
	"strings"
	"testing"

	"portcullis/gateway/internal/waf"
)

func TestWhatAnotherExclusionForbidsIsToldWithItsRequest(t *testing.T) {
	t.Parallel()
	existing := []waf.Exclusion{{Target: "ARGS:note", MustBlock: []string{"name=attack"}}}
	of := func(n int) error {
		return errors.Join(&waf.Unproved{Exclusion: n, MustPass: -1, MustBlock: 0, What: "this request passes"})
	}
	if why := unproved(of(0), existing); !strings.Contains(why, "ARGS:note") || !strings.Contains(why, "name=attack") {
		t.Error(why)
	}
	if why := unproved(of(1), existing); !strings.Contains(why, "cannot be proved") {
		t.Error(why)
	}
}
