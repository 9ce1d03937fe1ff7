package policy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v4"
)

// textLongest bounds one value in bytes: the longest sensible one is a reason.
const textLongest = 1024

// scalar reads one value. Its tag must be among the tags, so that the text "5"
// is not a number and the number 5 is not a name.
func scalar[T any](into *Value[T], want string, tags []string, parse func(string) (T, error)) reader {
	return func(d *decoder, n *yaml.Node) {
		if !d.plain(n) {
			return
		}
		if n.Kind != yaml.ScalarNode || !slices.Contains(tags, n.Tag) {
			d.reportf(n, CodeShape, "", "%s belongs here, not %s", want, shape(n))
			return
		}
		if strings.Contains(n.Value, "${") {
			d.reportf(n, CodeEnvironment, "${env:NAME} works in an issuer's url, jwks and ca and in an upstream's endpoints",
				"%q cannot be taken from the environment", n.Value)
			return
		}
		if v, ok := accept(d, n, n.Value, parse); ok {
			*into = Value[T]{V: v, Pos: d.pos(n), Set: true}
		}
	}
}

// accept parses a value and reports why it cannot be.
func accept[T any](d *decoder, n *yaml.Node, value string, parse func(string) (T, error)) (T, bool) {
	v, err := parse(value)
	if err != nil {
		d.reportf(n, CodeForm, "", "%v", err)
		return v, false
	}
	return v, true
}

func text(v *Value[string]) reader {
	return scalar(v, "a text", []string{"!!str"}, parseText)
}

func texts(vs *[]Value[string]) reader { return textList(vs, false) }

// textList reads a list of texts without repeats.
func textList(vs *[]Value[string], mayBeEmpty bool) reader {
	return listOf(vs, mayBeEmpty, text)
}

func listOf(vs *[]Value[string], mayBeEmpty bool, read func(*Value[string]) reader) reader {
	return func(d *decoder, n *yaml.Node) {
		seen := map[string]bool{}
		d.items(n, mayBeEmpty, func(d *decoder, entry *yaml.Node) {
			var v Value[string]
			read(&v)(d, entry)
			if !v.Set {
				return
			}
			if seen[v.V] {
				d.reportf(entry, CodeDuplicate, "leave one of them out", "%q stands twice in this list", v.V)
				return
			}
			seen[v.V] = true
			*vs = append(*vs, v)
		})
	}
}

func truth(v *Value[bool]) reader {
	return scalar(v, "true or false", []string{"!!bool"}, func(s string) (bool, error) {
		switch s {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return false, fmt.Errorf("%q is neither true nor false", s)
	})
}

func number(v *Value[int]) reader {
	return scalar(v, "a whole number", []string{"!!int"}, parseCount)
}

func duration(v *Value[time.Duration]) reader {
	return scalar(v, "a duration such as 3s", []string{"!!str", "!!int", "!!float"}, parseDuration)
}

func size(v *Value[int64]) reader {
	return scalar(v, "a size such as 64KiB", []string{"!!str", "!!int", "!!float"}, parseSize)
}

func percent(v *Value[int]) reader {
	return scalar(v, "a percentage such as 50%", []string{"!!str", "!!int", "!!float"}, parsePercent)
}

func rate(v *Value[Rate]) reader {
	return scalar(v, "a rate such as 600/1m", []string{"!!str", "!!int", "!!float"}, parseRate)
}

func parseText(s string) (string, error) {
	switch {
	case strings.TrimSpace(s) == "":
		return "", fmt.Errorf("the text is empty")
	case len(s) > textLongest:
		return "", fmt.Errorf("the text is longer than %d bytes", textLongest)
	case strings.ContainsFunc(s, unicode.IsControl):
		return "", fmt.Errorf("the text holds a line break or another control character")
	}
	return s, nil
}

// parseCount takes decimal digits alone: YAML's 0x10, 010 and 1_000 read
// differently in different heads.
func parseCount(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || strconv.Itoa(n) != s {
		return 0, fmt.Errorf("%q is not a whole number written in digits", s)
	}
	return n, nil
}

func parseDuration(s string) (time.Duration, error) {
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return 0, fmt.Errorf("%q has no unit: write 500ms, 3s, 2m or 1h", s)
	}
	t, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration: write 500ms, 3s, 2m or 1h", s)
	}
	return t, nil
}

func parseSize(s string) (int64, error) {
	units := []struct {
		suffix string
		bytes  int64
	}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"B", 1}}
	for _, unit := range units {
		digits, ok := strings.CutSuffix(s, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || strconv.FormatInt(n, 10) != digits || n > (1<<40)/unit.bytes || n < 0 {
			break
		}
		return n * unit.bytes, nil
	}
	return 0, fmt.Errorf("%q is not a size: write 512B, 64KiB or 1MiB", s)
}

func parsePercent(s string) (int, error) {
	digits, ok := strings.CutSuffix(s, "%")
	n, err := parseCount(digits)
	if !ok || err != nil {
		return 0, fmt.Errorf("%q is not a percentage: write 50%%", s)
	}
	return n, nil
}

func parseRate(s string) (Rate, error) {
	count, per, ok := strings.Cut(s, "/")
	n, err := parseCount(count)
	if !ok || err != nil {
		return Rate{}, fmt.Errorf("%q is not a rate: write 600/1m for 600 requests a minute", s)
	}
	window, err := parseDuration(per)
	if err != nil {
		return Rate{}, fmt.Errorf("%q is not a rate: after the slash stands a duration, as in 600/1m", s)
	}
	return Rate{n, window}, nil
}
