package policy

func defaultsTable(v *Defaults) table {
	return table{"defaults", nil, []field{
		{"authenticate", false, texts(&v.Authenticate), "names of issuers"},
		{"limits", false, texts(&v.Limits), "names of limits"},
		{"waf", false, oneOrMore(&v.WAF, text), "name of a WAF profile; a list when others stand beside it in shadow"},
		{"body", false, size(&v.Body), "largest request body, up to `64MiB`; `64KiB` if not said"},
		{"timeout", false, duration(&v.Timeout), "for the whole exchange with the upstream, up to `5m`; `3s` if not said"},
		{"capacity", false, number(&v.Capacity), "requests of one route under way at once, up to 100000; `1000` if not said. One more is 503"},
		{"cors", false, optional(&v.CORS, corsTable), "which pages of other origins may ask"},
		{"response", false, mapping(responseTable(&v.Response)), "fields of every answer. A route adds its own, and replaces those of the same name"},
	}}
}

func clientCertificatesTable(v *ClientCertificates) table {
	return table{"client certificates", &v.Pos, []field{
		{"hosts", false, texts(&v.Hosts), "names of `hosts`. Without it, every host that no other entry names, and clients that name none"},
		{"ca", true, place(&v.CA), "file of PEM certificates of the authorities that sign them; a path from where the gateway was started"},
		{"required", false, truth(&v.Required), "`false`: a client may go without; what it shows must be good all the same. `true` if not said"},
	}}
}

func floorTable(v *Floor) table {
	return table{"a floor", &v.Pos, []field{
		{"paths", true, text(&v.Paths), "`/v1/*` for everything below `/v1/`, or one path. A route whose pattern can match any such path is held to the floor"},
		{"needs", true, words(&v.Needs, needs()...), "any of `authenticate`, `authorize`, `limits`, `waf`. A route without authorize is one that allows `anyone`. What is in shadow does not count"},
		{"except", false, list(&v.Except, exceptionTable), "routes that go without for a while"},
	}}
}

func needs() []string { return []string{"authenticate", "authorize", "limits", "waf"} }

func exceptionTable(v *FloorException) table {
	return table{"an exception", &v.Pos, append([]field{
		{"route", true, text(&v.Route), "name of the route"},
		{"needs", true, words(&v.Needs, needs()...), "what it may go without"},
	}, exemptionKeys(&v.Exemption)...)}
}

// exemptionKeys are those of everything that is let through for a while.
func exemptionKeys(v *Exemption) []field {
	return []field{
		{"reason", true, text(&v.Reason), "why"},
		{"owner", true, text(&v.Owner), "who answers for it"},
		{"expires", true, date(&v.Expires), "the last day on which it is thought right, in UTC: `2027-06-30`; see Exemptions"},
	}
}

func corsTable(v *CORS) table {
	return table{"cors", &v.Pos, []field{
		{"origins", true, textsOrNone(&v.Origins), "`https://app.hotel.test`: scheme, host and port as browsers send them. `\"*\"` for any, without credentials; `[]` switches an inherited one off"},
		{"headers", false, texts(&v.Headers), "request fields that pages may send beyond the safelisted, such as `Content-Type`"},
		{"expose", false, texts(&v.Expose), "response fields that pages may read"},
		{"credentials", false, truth(&v.Credentials), "`true`: with cookies and client certificates"},
		{"max_age", false, duration(&v.MaxAge), "how long browsers keep a preflight, up to `24h`; default `10m`"},
	}}
}

func responseTable(v *Fields) table {
	return table{"response", nil, []field{
		{"set", false, fieldsOf(&v.Set, text), "fields and their values: `{Referrer-Policy: no-referrer}`. In place of what the upstream sent"},
		{"remove", false, texts(&v.Remove), "fields taken out: `[Server]`"},
	}}
}
