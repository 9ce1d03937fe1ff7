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
		{"responses", false, optional(&v.Responses, responsesTable), "which answers are inspected before the caller gets them; none if absent. See Answers"},
		{"mode", false, mode(&v.Mode), modeDoc},
		{"proof", false, word(&v.Proof, "on", shadow, "off"), "`on` (default): requests that are proved clean are spared the rules; `shadow`: both are asked, the rules decide and differences are counted; `off`. It changes no verdict"},
		{"patches", false, list(&v.Patches, patchTable), "files of rules that refuse what attacks one weakness; see Virtual patches"},
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
		{"args", false, number(&v.Args), "most arguments; default 255, most 1000"},
		{"depth", false, number(&v.Depth), "most nesting of JSON and XML; default 20, most 64"},
		{"body", false, size(&v.Body), "most bytes; default and most `64KiB`"},
		{"formats", false, words(&v.Formats, "json", "form", "multipart", "xml"), "kinds of bodies that are taken: `json`, `form`, `multipart` (with files), `xml` (also SOAP); default `[json, form]`"},
		{"cost", false, duration(&v.Cost), "most CPU time of the rules for one request, estimated from its bytes, arguments and the rules that may match, before they are asked; default `20ms`, `1ms` to `1s`. A request that is proved clean is never over it"},
		{"over", false, word(&v.Over, DefaultOver, "record"), "what becomes of a request over `cost`: `reject` (default), or `record`: it passes **uninspected**, and its event says so"},
	}}
}

func exclusionTable(v *Exclusion) table {
	return table{"an exclusion", &v.Pos, append(append([]field{
		{"rules", true, listOf(&v.Rules, false, number), "ids of the Core Rule Set: `[942100]`. The rules that add up and decide cannot be excluded"},
		{"target", true, text(&v.Target), "one argument: `ARGS:json.note` (a member of a JSON body), `ARGS:json.guest.name`, `ARGS:json.tags.0`, `ARGS:note` (of a form or query), `ARGS_NAMES:note` (its name)"},
	}, exemptionKeys(&v.Exemption)...), []field{
		{"must_pass", true, listOf(&v.MustPass, false, payload), "requests in which its rules match the target, and which pass with the exclusion. A text that begins with `{` or `[` is a JSON body, one like `POST /v1/notes` a whole request (below its line header fields, an empty line, the body), any other a query string"},
		{"must_block", true, listOf(&v.MustBlock, false, payload), "requests that are refused in spite of it"},
	}...)}
}

func patchTable(v *Patch) table {
	return table{"a patch", &v.Pos, append(append([]field{
		{"file", true, text(&v.File), "`waf/cve-2026-1.conf`: below the policy folder, at most 64 KiB. SecRule, SecAction and SecMarker, with ids from 1000000 to 1099999"},
	}, exemptionKeys(&v.Exemption)...), []field{
		{"must_pass", true, listOf(&v.MustPass, false, payload), "requests that pass with the patch, written as those of an exclusion"},
		{"must_block", true, listOf(&v.MustBlock, false, payload), "requests that are refused with the patch, and pass without it"},
	}...)}
}
