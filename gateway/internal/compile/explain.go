package compile

import "portcullis/policies/policy"

// Explanations explain the codes of this package, in the order of the codes.
func Explanations() []policy.Explanation {
	return []policy.Explanation{
		{
			Code: CodeNothing, Title: "nothing to serve",
			Why:   "A gateway without hosts or routes refuses everything. It is most often one that looks at the wrong folder.",
			Mend:  "Name the hosts to serve and at least one route, or give the right folder. gateway init writes a set to begin with.",
			Wrong: "hosts: [localhost]\n",
			Right: "hosts: [localhost]\nupstream: search\nroutes:\n  - {name: list-notes, match: GET /v1/notes, allow: [{scopes: [notes:read]}]}\n",
		},
		{
			Code: CodeIssuer, Title: "an issuer that cannot be used",
			Why:  "Tokens of an issuer that cannot be asked for its keys cannot be verified, so the policies are not served.",
			Mend: "Look at the reason in the mistake: most often a file of certificates (ca) that is not there, or revocations of an issuer that gives the gateway no token.",
		},
		{
			Code: CodeUpstream, Title: "an upstream that cannot be used",
			Why:  "Its routes would answer nobody.",
			Mend: "Look at the reason in the mistake: most often a credential for which the gateway was not given its own (--client-id, --client-secret-file).",
		},
		{
			Code: CodeWAF, Title: "a WAF profile that cannot be loaded",
			Why:  "Requests that nobody can inspect would have to pass uninspected or all be refused.",
			Mend: "Look at the reason in the mistake; an exclusion may only name rules that look for attacks, and one argument as its target.",
		},
		{
			Code: CodeRoute, Title: "a route that cannot be built",
			Why:  "Its parts are each fine and do not make a route together.",
			Mend: "Look at the reason in the mistake.",
		},
		{
			Code: CodeCondition, Title: "a condition in CEL that cannot be used",
			Why:   "A condition is checked when it is loaded: for names nobody has, for types that do not fit, and for what it may cost at most, since every request pays for it. At run time an error would deny everybody.",
			Mend:  "Look under the caret. Variables are request.*, source.*, token.*, route.* and params.*; claims of a token have to be declared by an issuer (claims: {tenant: text}). policies/README.md lists them all.",
			Wrong: "upstream: search\nroutes:\n  - {name: list-notes, match: GET /v1/notes, allow: [{when: \"token.clint == 'kiosk'\"}]}\n",
			Right: "upstream: search\nroutes:\n  - {name: list-notes, match: GET /v1/notes, allow: [{when: \"token.client == 'kiosk'\"}]}\n",
		},
		{
			Code: CodeExclusion, Title: "an exclusion that is not proved",
			Why:   "An exclusion is a hole in the WAF. Without it, its rules have to match the target in the requests of must_pass; with it these have to pass, and each of must_block has to be refused still: then it is as wide as it must be, and no wider.",
			Mend:  "Put the request that was refused by mistake under must_pass, with the member it was refused for as the target, and an attack elsewhere in the request under must_block.",
			Wrong: "waf:\n  - name: notes\n    exclusions:\n      - rules: [942100]\n        target: ARGS:json.note\n        reason: guests quote SQL\n        owner: security\n        expires: 2027-06-30\n        must_pass: ['{\"note\": \"a quiet room\"}']\n        must_block: ['{\"name\": \"1'' OR 1=1-- -\"}']\nupstream: search\nroutes:\n  - {name: add-note, match: POST /v1/notes, waf: notes, allow: [{scopes: [notes:write]}]}\n",
			Right: "waf:\n  - name: notes\n    exclusions:\n      - rules: [942100]\n        target: ARGS:json.note\n        reason: guests quote SQL\n        owner: security\n        expires: 2027-06-30\n        must_pass: ['{\"note\": \"1'' OR 1=1-- -\"}']\n        must_block: ['{\"name\": \"1'' OR 1=1-- -\"}']\nupstream: search\nroutes:\n  - {name: add-note, match: POST /v1/notes, waf: notes, allow: [{scopes: [notes:write]}]}\n",
		},
		{
			Code: CodeSchema, Title: "a schema of bodies that cannot be used",
			Why:  "A body that cannot be looked at would have to pass as it is.",
			Mend: "Mend the JSON Schema (draft 2020-12) at the place in the mistake. It may only refer to itself: nothing is fetched from elsewhere.",
		},
		{
			Code: CodeSecret, Title: "a secret that cannot be read",
			Why:  "The upstream would be sent the reference in place of the secret, and its name would stand in its logs.",
			Mend: "Put the secret, on one line, into the file that ${file:PATH} names, readable for the gateway. gateway check reads no secrets; serve does.",
		},
		{
			Code: CodeAuthority, Title: "the authorities of clients' certificates cannot be read",
			Why:  "Without them nobody could tell a good certificate from another, and every client of the host would be turned away.",
			Mend: "Put certificates (PEM), and nothing else, into the file that ca names, readable for the gateway. gateway check does not read it; serve does.",
		},
		{
			Code: CodePatch, Title: "a patch of a WAF profile that cannot be used",
			Why:  "Rules of a patch are given to the WAF's engine as they stand. What could switch it off, read files or undo other rules is refused, and so is a patch that does not refuse what it is for, or that refuses what must pass.",
			Mend: "Look at the line in the mistake. A patch holds SecRule, SecAction and SecMarker, with ids from 1000000 to 1099999, for phase 1 or 2. Each request of must_block has to be refused with it and pass without it, each of must_pass has to pass. policies/README.md says it all under Virtual patches.",
		},
	}
}
