package policy

// mode reads whether something decides or is only watched.
func mode(v *Value[string]) reader { return word(v, "enforce", shadow) }

// shadow is the mode of what is watched and refuses nobody.
const shadow = "shadow"

const modeDoc = "`enforce` (default), or `shadow`: it refuses nobody, and tells whom it would have refused"

func limitTable(v *Limit) table {
	return table{"a limit", &v.Pos, []field{
		{"name", true, text(&v.Name), "as routes, tests and metrics call it"},
		{"by", true, word(&v.By, "source", "principal", "client", "route"), "`source` (address; /64 of IPv6), `principal` (subject of a token), `client`, or `route` (all callers together)"},
		{"rate", true, rate(&v.Rate), "`600/1m`: as many, evenly refilled; a period of up to `24h`"},
		{"burst", false, number(&v.Burst), "how many at once; default: the rate's number"},
		{"clients", false, texts(&v.Clients), "by principal or client: count only callers of these clients"},
		{"mode", false, mode(&v.Mode), modeDoc},
	}}
}

func wafTable(v *WAFProfile) table {
	return table{"a WAF profile", &v.Pos, []field{
		{"name", true, text(&v.Name), "as routes call it"},
		{"paranoia", false, mapping(paranoiaTable(&v.Paranoia)), "which rules are asked, by their level"},
		{"threshold", false, mapping(thresholdTable(&v.Threshold)), "anomaly score from which is refused"},
		{"inspect", false, mapping(inspectTable(&v.Inspect)), "what a request may cost. What is over is refused"},
		{"mode", false, mode(&v.Mode), modeDoc},
		{"proof", false, word(&v.Proof, "on", shadow, "off"), "`on` (default): requests that are proved clean are spared the rules; `shadow`: both are asked, the rules decide and differences are counted; `off`. It changes no verdict"},
		{"exclusions", false, list(&v.Exclusions, exclusionTable), "rules that do not look at one argument"},
	}}
}

func paranoiaTable(v *Paranoia) table {
	return table{"paranoia", nil, []field{
		{"blocking", false, number(&v.Blocking), "rules up to this level refuse, 1 to 4; default 1"},
		{"detection", false, number(&v.Detection), "rules up to this level are logged; default: as blocking"},
	}}
}

func thresholdTable(v *Threshold) table {
	return table{"threshold", nil, []field{
		{"inbound", false, number(&v.Inbound), "of requests; default 5"},
		{"outbound", false, number(&v.Outbound), "of responses; default 4"},
	}}
}

func inspectTable(v *Inspect) table {
	return table{"inspect", nil, []field{
		{"args", false, number(&v.Args), "most arguments; default and most 255"},
		{"depth", false, number(&v.Depth), "most nesting of JSON; default 20, most 64"},
		{"body", false, size(&v.Body), "most bytes; default and most `64KiB`"},
	}}
}

func exclusionTable(v *Exclusion) table {
	return table{"an exclusion", &v.Pos, append(append([]field{
		{"rules", true, listOf(&v.Rules, false, number), "ids of the Core Rule Set: `[942100]`. The rules that add up and decide cannot be excluded"},
		{"target", true, text(&v.Target), "one argument: `ARGS:json.note` (a member of a JSON body), `ARGS:json.guest.name`, `ARGS:json.tags.0`, `ARGS:note` (of a form or query), `ARGS_NAMES:note` (its name)"},
	}, exemptionKeys(&v.Exemption)...), []field{
		{"must_pass", true, listOf(&v.MustPass, false, payload), "requests that are refused without the exclusion and pass with it. A text that begins with `{` or `[` is a JSON body, any other a query string"},
		{"must_block", true, listOf(&v.MustBlock, false, payload), "requests that are refused in spite of it"},
	}...)}
}
