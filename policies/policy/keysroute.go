package policy

import (
	"fmt"
	"slices"

	"go.yaml.in/yaml/v4"
)

func routeTable(v *Route) table {
	return table{"a route", &v.Pos, []field{
		{"name", true, text(&v.Name), "as it appears in events and metrics"},
		{"hosts", false, texts(&v.Hosts), "some of the gateway's `hosts`; all if absent"},
		{"match", true, text(&v.Match), "`GET /v1/hotels/{hotel}`, or `GET,POST /v1/notes`. A parameter is a whole segment; `/assets/*` matches everything below. Methods: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS; GET also serves HEAD"},
		{"upstream", false, text(&v.Upstream), "its own, or its file's; this or `redirect` is required"},
		{"redirect", false, optional(&v.Redirect, redirectTable), "sends callers elsewhere in place of an upstream"},
		{"authenticate", false, either(&v.NoAuthenticate, texts(&v.Authenticate)), "issuers added to the defaults, or `{none: reason}`"},
		{"allow", false, list(&v.Allow, ruleTable), "rules, at least one that is not in shadow: who may"},
		{"deny", false, list(&v.Deny, ruleTable), "rules: who may not, whatever `allow` says"},
		{"limits", false, either(&v.NoLimits, texts(&v.Limits)), "limits added to the defaults, or `{none: reason}`"},
		{"waf", false, either(&v.NoWAF, oneOrMore(&v.WAF, text)), "profile in place of the default; a list for one and others in shadow; or `{none: reason}`"},
		{"validate", false, optional(&v.Validate, validateTable), "what a body must look like"},
		{"body", false, size(&v.Body), "in place of the default; at most what the WAF profile inspects"},
		{"timeout", false, duration(&v.Timeout), "in place of the default"},
		{"capacity", false, number(&v.Capacity), "in place of the default"},
		{"cors", false, optional(&v.CORS, corsTable), "in place of the default"},
		{"request", false, optional(&v.Request, requestTable), "what the upstream sees in place of what was asked"},
		{"response", false, mapping(responseTable(&v.Response)), "fields of answers, besides those of the defaults"},
		{"websocket", false, truth(&v.WebSocket), "`true`: an upgrade to websocket may pass; no other ever does"},
		{"encoded_slash", false, truth(&v.EncodedSlash), "`true`: `%2F` in a path is a slash within one segment, for parameters, rules and the upstream alike, which must not take it for a separator; refused otherwise"},
		{"compress", false, compressed(&v.Compress, &v.CompressTypes), "`true` for answers that are text (HTML, JSON, scripts, XML, SVG), or media types and ranges: `[application/json, text/*]`. See Compression"},
		{"log", false, texts(&v.Log), "query parameters whose values may stand in events"},
	}}
}

func redirectTable(v *Redirect) table {
	return table{"a redirect", &v.Pos, []field{
		{"to", true, text(&v.To), "a path, or a URL with its host; parameters of the match as whole segments: `/v2/notes/{note}`"},
		{"status", false, status(&v.Status), "301, 302, 303, 307 or 308 (default)"},
	}}
}

func status(v *Value[int]) reader {
	known := []int{301, 302, 303, 307, 308}
	return reader{
		read: func(d *decoder, n *yaml.Node) {
			if number(v).read(d, n); v.Set && !slices.Contains(known, v.V) {
				d.choice(v.Pos, fmt.Sprintf("%d is not a redirect status", v.V), "", "write 301, 302, 303, 307 or 308")
			}
		},
		schema: func() *schema { return &schema{Enum: known} },
	}
}

func validateTable(v *Validation) table {
	return table{"validate", &v.Pos, []field{
		{"schema", true, text(&v.Schema), "JSON Schema (2020-12), a `*.json` below this folder: `bodies/note.json`"},
		{"mode", false, mode(&v.Mode), modeDoc},
	}}
}

func requestTable(v *Rewrite) table {
	return table{"request", &v.Pos, []field{
		{"strip_prefix", false, text(&v.StripPrefix), "`/api`, taken off the path"},
		{"path", false, text(&v.Path), "`/v2/notes/{note}`, in place of the path; a `*` takes what the match's took"},
		{"set", false, secretFields(&v.Set), "fields and their values: `{X-Tenant: hotel}`. `${file:PATH}` in a value is what the file holds: the one place for a secret"},
		{"remove", false, texts(&v.Remove), "fields taken out"},
	}}
}

func ruleTable(v *Rule) table {
	return table{"a rule", &v.Pos, []field{
		{"name", false, text(&v.Name), "how tests, explanations and metrics call it; otherwise `allow[0]`, `deny[1]`"},
		{"scopes", false, texts(&v.Scopes), "the token has all of these"},
		{"claims", false, claimsAre(&v.Claims), "declared claims, each with the value it must have, or a list of the values it may have: `{tenant: acme, groups: [staff, admin]}`. A claim that is a list must contain one of them"},
		{"owner", false, text(&v.Owner), "the token's subject equals this path parameter"},
		{"clients", false, texts(&v.Clients), "the token's client is one of these"},
		{"methods", false, texts(&v.Methods), "the method is one of these, of the route's"},
		{"networks", false, texts(&v.Networks), "the source address is in one of these: `[10.0.0.0/8]`"},
		{"hours", false, hours(&v.Hours), "now is within one of these: `[mon-fri 08:00-18:00 Europe/Helsinki]`"},
		{"when", false, condition(&v.When), "a condition in CEL: `\"token.client == 'kiosk'\"`"},
		{"anyone", false, truth(&v.Anyone), "`true`: every request matches; alone, and with a `reason`"},
		{"reason", false, text(&v.Reason), "why"},
		{"mode", false, mode(&v.Mode), "`enforce` (default), or `shadow`: it decides nothing, and tells what it would have decided"},
	}}
}
