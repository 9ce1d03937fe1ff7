package tune

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// openedShown is how many attacks that would pass are named.
const openedShown = 5

// Render writes a report as YAML: proposals as they stand in a policy, with
// reason, owner and expiry to fill in, and as comments what has proved them and
// what was not proposed.
func (r *Report) Render(w io.Writer) error {
	var b strings.Builder
	if len(r.Proposals) == 0 {
		b.WriteString("# Nothing is proposed.\n")
	} else {
		b.WriteString("# Paste each exclusion into the profile it names, and fill in reason, owner and expires.\nwaf:\n")
		last := ""
		for _, p := range r.Proposals {
			if p.Profile != last {
				fmt.Fprintf(&b, "  - name: %s # %s\n    exclusions:\n", scalar(p.Profile), comment(p.Place.String()))
				last = p.Profile
			}
			p.render(&b)
		}
	}
	for i, d := range r.Declined {
		if i == 0 {
			b.WriteString("\n# Not proposed:\n")
		}
		fmt.Fprintf(&b, "# - %s of route %s, profile %s, rules %s: %s\n", comment(d.Target), comment(d.Route), comment(d.Profile), d.Rules, comment(d.Why))
	}
	if r.LeftOut > 0 {
		fmt.Fprintf(&b, "# %d findings had no room: tune what is proposed first, or give fewer events.\n", r.LeftOut)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (p *Proposal) render(b *strings.Builder) {
	say := func(format string, args ...any) {
		fmt.Fprintf(b, "      # %s\n", comment(fmt.Sprintf(format, args...)))
	}
	say("Route %s: %s of %s, %d of them refused, the last on %s; what stood there looks like %s", p.Route, count(p.Requests, "request"), count(p.Clients, "client"),
		p.Refused, p.Last.UTC().Format("2006-01-02"), p.Shape)
	if p.Attacks > 0 {
		say("%d of these requests look like attacks, and their clients count for nothing", p.Attacks)
	}
	for i, id := range p.Exclusion.Rules {
		say("%d: %s", id, p.Messages[i])
	}
	say("Known to be good, and pass there with the exclusion: %s", strings.Join(p.Good, ", "))
	if len(p.Still) > 0 {
		say("Of these, as a whole still refused for other parts: %s", strings.Join(p.Still, ", "))
	}
	if p.Same.Tried > 0 {
		say("Attacks there: of %d that were refused, %d still are%s", p.Same.Tried, p.Same.Tried-len(p.Same.Opened), opened(p.Same.Opened))
	}
	for _, other := range p.Others {
		if other.Tried > 0 {
			say("Attacks at %s: all of %d are refused as before", other.Target, other.Tried)
		}
	}
	if len(p.Routes) > 0 {
		say("It holds for the other routes of the profile too: %s", strings.Join(p.Routes, ", "))
	}
	fmt.Fprintf(b, "      - rules: [%s]\n        target: %s\n", ruleList(p.Exclusion.Rules), scalar(p.Exclusion.Target))
	b.WriteString("        reason: TODO\n        owner: TODO\n        expires: TODO\n")
	list := func(key string, texts []string) {
		fmt.Fprintf(b, "        %s:\n", key)
		for _, text := range texts {
			fmt.Fprintf(b, "          - %s\n", scalar(text))
		}
	}
	list("must_pass", p.Exclusion.MustPass)
	list("must_block", p.Exclusion.MustBlock)
}

// opened names attacks that would pass.
func opened(all []Attack) string {
	if len(all) == 0 {
		return ""
	}
	var texts []string
	for _, a := range all[:min(len(all), openedShown)] {
		value := a.Value
		if cut := []rune(value); len(cut) > 60 {
			value = string(cut[:60]) + "..."
		}
		texts = append(texts, fmt.Sprintf("%s %q", a.Test, value))
	}
	text := "; these would pass: " + strings.Join(texts, ", ")
	if len(all) > openedShown {
		text += fmt.Sprintf(" and %d more", len(all)-openedShown)
	}
	return text
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// comment is a text as it may stand in a comment, and on a terminal.
func comment(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}

// scalar is a text as YAML. Plain where nobody could take it for anything else.
func scalar(s string) string {
	printable, simple := true, s != "" && s[0] != '-'
	for _, r := range s {
		if !unicode.IsPrint(r) || r == '\ufeff' || r == unicode.ReplacementChar {
			printable = false
		}
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-:/$+%=", r)) {
			simple = false
		}
	}
	switch {
	case !printable:
		return escaped(s)
	case !simple || strings.HasSuffix(s, ":") || !unicode.IsLetter(rune(s[0])) || word(s):
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return s
}

// word reports whether YAML has a meaning of its own for a text.
func word(s string) bool {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n":
		return true
	}
	return false
}

// escaped is a text in double quotes (YAML 1.2, section 5.7).
func escaped(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case unicode.IsPrint(r) && r != '\ufeff':
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String() + `"`
}
