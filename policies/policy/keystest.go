package policy

import "go.yaml.in/yaml/v4"

func testTable(v *Test) table {
	return table{"a test", &v.Pos, []field{
		{"name", true, text(&v.Name), "a sentence: what must hold"},
		{"send", true, payload(&v.Send), "method and target: `GET /v1/hotels?city=Helsinki`"},
		{"host", false, text(&v.Host), "default: the first of `hosts`"},
		{"header", false, fieldsOf(&v.Header, absentOr), "fields of the request: `{Accept: application/json}`; `\"\"` for one that is not sent, such as `User-Agent`"},
		{"as", false, object(&v.As), "claims of the token it carries; no token if absent. `iss` is the name of an issuer (default: the route's first), or the URL of one nobody knows; `exp`, `iat`, `nbf` are durations from now (`-1m`); `client_id` and `scope` are put where the issuer's profile has them; `null` leaves a claim out; `alg` is how the token is signed (default: the issuer's first algorithm); `{n}` in a text is the number of the request, so that many ask. `{}` is somebody without a scope"},
		{"from", false, text(&v.From), "source address; default `192.0.2.1`"},
		{"at", false, moment(&v.At), "when it is sent: `2027-01-13T12:00:00+02:00`; default a Wednesday at noon UTC"},
		{"json", false, anything(&v.JSON), "body, sent as JSON"},
		{"form", false, payload(&v.Form), "body, sent as a form: `a=1&b=2`"},
		{"body", false, payload(&v.Body), "body, sent as it stands"},
		{"times", false, number(&v.Times), "how often it is sent, up to 10000; all but the last must be allowed"},
		{"every", false, duration(&v.Every), "time between two of them, up to `24h`; default none"},
		{"answer", false, mapping(answerTable(&v.Answer)), "what the upstream answers; default 200 without a body"},
		{"expect", true, mapping(expectTable(&v.Expect)), "what must come of it; what is not named is not compared"},
	}}
}

func answerTable(v *Answer) table {
	return table{"an answer", &v.Pos, []field{
		{"status", false, number(&v.Status), "default 200"},
		{"header", false, fieldsOf(&v.Header, payload), "its fields"},
		{"body", false, payload(&v.Body), "its body"},
	}}
}

func expectTable(v *Expect) table {
	return table{"expect", &v.Pos, []field{
		{"decision", false, word(&v.Decision, decisions()...), "`allow`, `deny`, or `fault`: something failed, and nothing passed"},
		{"status", false, number(&v.Status), "of the answer"},
		{"stage", false, word(&v.Stage, stages()...), "that decided: `capacity`, `source-limit`, `authenticate`, `authorize`, `principal-limit`, `inspect`, `validate`; `cors` for what a browser asks first, `forward` for what failed on the way"},
		{"route", false, text(&v.Route), "that took it"},
		{"rule", false, anyScalar(&v.Rule), "that decided: its name, or `allow[0]`, `deny[1]`; of the WAF the id of one that matched"},
		{"limit", false, text(&v.Limit), "that was used up"},
		{"code", false, text(&v.Code), "of the problem in the answer"},
		{"shadow", false, shadows(v), "everything in shadow that would have decided otherwise: rules and limits by name, `waf:PROFILE:RULEID`, `validate`; `[]` for nothing"},
		{"header", false, fieldsOf(&v.Header, absentOr), "fields of the answer; `\"\"` for one that must be absent"},
		{"forwards", false, optional(&v.Forwards, forwardsTable), "what the upstream must have been sent"},
	}}
}

func decisions() []string { return []string{"allow", "deny", "fault"} }

func stages() []string {
	return []string{"capacity", "source-limit", "authenticate", "authorize", "principal-limit", "inspect", "validate", "cors", "forward"}
}

// shadows reads a list whose being empty says as much as its entries.
func shadows(v *Expect) reader {
	r := textsOrNone(&v.Shadow)
	read := r.read
	r.read = func(d *decoder, n *yaml.Node) {
		v.ShadowSet = true
		read(d, n)
	}
	return r
}

func forwardsTable(v *Forwards) table {
	return table{"forwards", &v.Pos, []field{
		{"upstream", false, text(&v.Upstream), "that it was sent to"},
		{"path", false, payload(&v.Path), "with the query"},
		{"header", false, fieldsOf(&v.Header, absentOr), "fields; `\"\"` for one that must be absent"},
	}}
}
