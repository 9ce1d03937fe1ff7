package tune

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"portcullis/gateway/internal/waf"
)

// textFor is a text of must_pass or must_block that has value at a target and
// nothing else; empty when there is none. Of ARGS_NAMES the name is all there is.
func textFor(target, value string) string {
	collection, name, _ := strings.Cut(target, ":")
	if collection == "ARGS_NAMES" {
		value = "1"
	}
	text := url.QueryEscape(name) + "=" + url.QueryEscape(value)
	if path, ok := strings.CutPrefix(name, "json."); ok {
		var body strings.Builder
		e := json.NewEncoder(&body)
		e.SetEscapeHTML(false) // as people write it
		if err := e.Encode(nest(strings.Split(path, "."), value)); err != nil {
			return ""
		}
		text = strings.TrimSuffix(body.String(), "\n")
	}
	if args, err := waf.ArgumentsOf(text); err != nil || !slices.ContainsFunc(args, func(a waf.Argument) bool {
		return strings.EqualFold(a.Name, name) && a.Value == value
	}) {
		return "" // the name is not what it seems
	}
	return text
}

// nest is a value below members and places in lists.
func nest(path []string, value string) any {
	if len(path) == 0 {
		return value
	}
	inner := nest(path[1:], value)
	if n, err := strconv.Atoi(path[0]); err == nil && n >= 0 && n < listMost {
		list := make([]any, n+1)
		for i := range list {
			list[i] = "x"
		}
		list[n] = inner
		return list
	}
	return map[string]any{path[0]: inner}
}

// listMost bounds the lists that are made up.
const listMost = 32

// elsewhere is another target of the same kind, which no exclusion here names.
func elsewhere(target string) string {
	_, name, _ := strings.Cut(target, ":")
	other := "other"
	if path, ok := strings.CutPrefix(name, "json."); ok {
		other = "json.other"
		if first, _, _ := strings.Cut(path, "."); first == "0" || strings.EqualFold(path, "other") {
			other = "json.another"
		}
	} else if strings.EqualFold(name, other) {
		other = "another"
	}
	return "ARGS:" + other
}
