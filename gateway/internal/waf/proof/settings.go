package proof

import (
	"fmt"
	"strconv"
	"strings"

	"portcullis/gateway/internal/waf/collect"
	"portcullis/gateway/internal/waf/seclang"
)

// limits are the engine's bounds on a request. What goes beyond is unsure.
type limits struct {
	collect.Bounds
	body int64
	// answer is the same of an answer, in bytes.
	answer int64
}

// idle are the directives that change nothing about which rules match.
var idle = map[string]bool{
	"secauditengine": true, "secauditlog": true, "secauditlogformat": true, "secauditlogparts": true, "secauditlogrelevantstatus": true,
	"secauditlogtype": true, "secauditlogstoragedir": true, "seccomponentsignature": true, "secdatadir": true, "secdebuglog": true,
	"secdebugloglevel": true, "secrequestbodyinmemorylimit": true,
	"secresponsebodylimitaction": true, "secresponsebodymimetype": true, "secresponsebodymimetypesclear": true, "secrxprefilter": true,
	"secserversignature": true, "secsensorid": true, "secwebappid": true, "secuploaddir": true, "secuploadkeepfiles": true,
	"secuploadfilemode": true, "secresponsebodyjsondepthlimit": true, "secrequestbodylimitaction": true,
}

// settings reads the directives that are no rules. What is not known may change
// anything, so that nothing can be proved.
func (c *compiler) settings() {
	l := limits{Bounds: collect.Bounds{Args: 1000, Depth: 1024}, body: 128 << 20, answer: 512 << 10} // the engine's defaults
	access, engine, answers := false, false, false
	for _, s := range c.policy.Settings {
		var err error
		switch s.Name {
		case "secruleengine":
			engine = strings.EqualFold(s.Value, "On") || strings.EqualFold(s.Value, "DetectionOnly")
		case "secrequestbodyaccess":
			access = strings.EqualFold(s.Value, "On")
		case "secargumentslimit":
			l.Args, err = strconv.Atoi(s.Value)
		case "secrequestbodyjsondepthlimit":
			l.Depth, err = strconv.Atoi(s.Value)
		case "secrequestbodylimit":
			l.body, err = strconv.ParseInt(s.Value, 10, 64)
		case "secresponsebodyaccess":
			answers = strings.EqualFold(s.Value, "On")
		case "secresponsebodylimit":
			l.answer, err = strconv.ParseInt(s.Value, 10, 64)
		default:
			if !idle[s.Name] {
				c.nothing(s, fmt.Sprintf("the directive %s is not understood", s.Name))
			}
		}
		if err != nil {
			c.nothing(s, fmt.Sprintf("%s %q is no number", s.Name, s.Value))
		}
	}
	switch {
	case !engine:
		c.nothing(seclang.Setting{}, "SecRuleEngine is not on")
	case !access:
		c.nothing(seclang.Setting{}, "SecRequestBodyAccess is not on")
	}
	// One less than the engine reads: at its limit it sets a variable.
	l.Args--
	c.program.limits = l
	if c.last = lastOfRequest; answers {
		c.last = lastOfAnswer
	}
}

// nothing says that nothing can be proved at all.
func (c *compiler) nothing(at seclang.Setting, why string) {
	if c.program.whole == "" {
		c.program.whole = why
	}
	c.program.unprovable = append(c.program.unprovable, Unprovable{Place: at.Place, Why: why, Then: "every request runs the engine"})
}
