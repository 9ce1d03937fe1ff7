package policy

// explainAdvice explains what is served, and yet worth telling.
func explainAdvice() []Explanation {
	return []Explanation{
		{
			CodeExpires, "an exemption that ends within a month",
			"What was let through for a while has an owner, who should reconsider it before its day.",
			"Ask the owner to end it, or to write a later day. Nothing is decided otherwise when the day has passed.",
			"", "",
		},
		{
			CodeExpired, "an exemption past its day",
			"It still holds: a date never changes what is decided, or a gateway could begin to refuse at midnight. But nobody has said since that it is right. gateway check --ci fails with it.",
			"Ask the owner to end it, or to write a later day.",
			"", "",
		},
		{
			CodeOptOut, "a stage that a route goes without",
			"It is allowed and has its reason. It is listed so that the sum of them is seen.",
			"Nothing has to be mended. When the reason no longer holds, leave the line out: the defaults apply then.",
			"upstream: search\nroutes:\n  - {name: add-photo, match: POST /v1/photos, waf: {none: a photo is no text}, allow: [{scopes: [photos:write]}]}\n",
			"upstream: search\nroutes:\n  - {name: add-photo, match: POST /v1/photos, allow: [{scopes: [photos:write]}]}\n",
		},
		{
			CodeShadow, "something that only watches",
			"In shadow a rule, limit, profile or validation refuses nobody. It is listed so that what was meant to be tried for a week is not forgotten for a year.",
			"Read what it would have done (events, metrics, gateway explain), then leave out mode: shadow, or the whole entry.",
			"limits:\n  - {name: slow, by: source, rate: 1/1s, mode: shadow}\nupstream: search\nroutes:\n  - {name: list-notes, match: GET /v1/notes, limits: [slow], allow: [{scopes: [notes:read]}]}\n",
			"limits:\n  - {name: slow, by: source, rate: 1/1s}\nupstream: search\nroutes:\n  - {name: list-notes, match: GET /v1/notes, limits: [slow], allow: [{scopes: [notes:read]}]}\n",
		},
		{
			CodeShadowed, "a route whose requests a more specific one partly takes and treats differently",
			"The more specific route decides alone: rules of the wider one are not asked for its requests. A deny rule on the wider one does not protect what the other serves.",
			"If the difference is meant, leave it. Otherwise give both routes the same rules.",
			"upstream: search\nroutes:\n  - {name: notes, match: \"GET /v1/notes/*\", allow: [{scopes: [notes:read]}]}\n  - {name: shared-notes, match: GET /v1/notes/shared, allow: [{scopes: [notes:read, notes:shared]}]}\n",
			"upstream: search\nroutes:\n  - {name: notes, match: \"GET /v1/notes/*\", allow: [{scopes: [notes:read]}]}\n  - {name: shared-notes, match: GET /v1/notes/shared, allow: [{scopes: [notes:read]}]}\n",
		},
		{
			CodeIdle, "a rule or an exception that decides nothing",
			"Whoever reads it thinks that it does. An allow rule that another one covers allows nobody more; a deny rule that no allowed request meets denies nobody.",
			"Leave it out, or write what was meant: often one condition too few in the rule that covers it.",
			"upstream: search\nroutes:\n  - name: list-notes\n    match: GET /v1/notes\n    allow:\n      - {scopes: [notes:read]}\n      - {scopes: [notes:read], clients: [kiosk]}\n",
			"upstream: search\nroutes:\n  - name: list-notes\n    match: GET /v1/notes\n    allow:\n      - {scopes: [notes:read], clients: [kiosk]}\n",
		},
		{
			CodeUnused, "something that nothing names",
			"A limit or profile that no route names protects nothing, and an upstream or issuer that none names is trusted for nothing.",
			"Name it where it was meant to be, or leave it out.",
			"limits:\n  - {name: slow, by: source, rate: 1/1s}\nupstream: search\nroutes:\n  - {name: list-notes, match: GET /v1/notes, allow: [{scopes: [notes:read]}]}\n",
			"limits:\n  - {name: slow, by: source, rate: 1/1s}\nupstream: search\nroutes:\n  - {name: list-notes, match: GET /v1/notes, limits: [slow], allow: [{scopes: [notes:read]}]}\n",
		},
		{
			CodeUnproved, "what the proof of a WAF profile leaves to its rules",
			"Requests that are proved clean cost a fiftieth. Where a rule is not understood, its requests are asked of the rules as before: they cost more, and are decided alike.",
			"Nothing has to be mended. If the cost matters, write the rule with an operator of the Core Rule Set.",
			"", "",
		},
	}
}
