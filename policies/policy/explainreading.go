package policy

// explainReading explains what can be wrong with one file alone.
func explainReading() []Explanation {
	return []Explanation{
		{
			CodeFile, "a file or folder that cannot be taken",
			"Skipping a file in silence would drop the deny rules and limits in it. So a file that cannot be read, is too large or no text, a link to a folder, and a schema of bodies that is not where a route looks for it all stop the load.",
			"Look at the reason beside the mistake: rights, size (1 MiB), encoding (UTF-8), or a path that leads elsewhere. Schemas of bodies are *.json files below the policy folder.",
			"upstream: search\nroutes:\n  - name: add-note\n    match: POST /v1/notes\n    validate: {schema: nowhere.json}\n    allow: [{scopes: [notes:write]}]\n",
			"upstream: search\nroutes:\n  - name: add-note\n    match: POST /v1/notes\n    allow: [{scopes: [notes:write]}]\n",
		},
		{
			CodeSyntax, "not YAML",
			"What is no YAML has no meaning, and a guess at what was meant could allow what nobody wrote.",
			"Look at the line of the mistake and the one before it: a quote or bracket that is not closed, a tab in place of spaces, two values on a line.",
			"hosts: [localhost\n",
			"hosts: [localhost]\n",
		},
		{
			CodeFeature, "YAML that policies do without",
			"With anchors, merge keys, tags and several documents in a file a line means what another line, far away, makes of it. A policy says what it says where it stands.",
			"Write the value out where it is used. Split a file of two documents into two files.",
			"hosts: [&one localhost]\n",
			"hosts: [localhost]\n",
		},
		{
			CodeVersion, "a version that is not known here",
			"A newer format may mean something else by the same keys.",
			"Write version: 1, or use the program the file was written for.",
			"version: 2\n",
			"version: 1\n",
		},
		{
			CodeUnknownKey, "a key nobody knows",
			"A deny rule under a misspelt key would deny nobody. So what is not known is not passed over.",
			"Take the suggestion, or one of the keys in the help line. With the schema named in the first line of a file, editors complete and underline keys.",
			"limits:\n  - {name: slow, by: source, rate: 1/1s, brust: 5}\n",
			"limits:\n  - {name: slow, by: source, rate: 1/1s, burst: 5}\n",
		},
		{
			CodeDuplicate, "the same key, name or entry twice",
			"Which of the two counts would depend on the order of lines and files, which no reader sees.",
			"Leave one of them out, or give one another name.",
			"limits:\n  - {name: slow, by: source, rate: 1/1s}\n  - {name: slow, by: route, rate: 9/1s}\n",
			"limits:\n  - {name: slow, by: source, rate: 1/1s}\n  - {name: slow-all, by: route, rate: 9/1s}\n",
		},
		{
			CodeMissing, "something required is absent",
			"A limit without a rate limits nobody, and a key without a value may be half of an edit. What a policy needs is written, not guessed.",
			"Add the key that is named, or leave out the whole entry.",
			"limits:\n  - {name: slow, by: source}\n",
			"limits:\n  - {name: slow, by: source, rate: 1/1s}\n",
		},
		{
			CodeShape, "a list where a text belongs, and the like",
			"Taking one for the other would be a guess at what was meant.",
			"A list is [a, b] or one entry a line with a dash; a mapping is {key: value}; a text that looks like a number or a truth stands in quotes.",
			"hosts: localhost\n",
			"hosts: [localhost]\n",
		},
		{
			CodeForm, "a value that cannot be read",
			"A time without its unit is three seconds to one reader and three minutes to another.",
			"Write durations as 500ms, 3s, 2m or 1h, sizes as 64KiB, rates as 600/1m, days as 2027-06-30, hours as mon-fri 08:00-18:00 Europe/Helsinki, and names in lower case with dashes.",
			"defaults:\n  timeout: 3\n",
			"defaults:\n  timeout: 3s\n",
		},
		{
			CodeEnvironment, "a value from the environment or a file, where it cannot come from there",
			"Where things are may differ between machines; what is allowed may not. And a secret stands in a file, in the one place that never shows it.",
			"${env:NAME} and ${env:NAME:-default} work in an issuer's url, jwks and ca, and endpoint and key of its introspection, an upstream's endpoints and a client's redirects and post_logout. ${file:PATH} works in the values of request: {set: ...} and as the secret of an introspection. Set the variable, or give it a default.",
			"hosts: [\"${env:HOST}\"]\n",
			"hosts: [localhost]\n",
		},
	}
}
