package e2e

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "portcullis"

// imports says who may import whom, in the manner of the standard library's
// go/build/deps_test.go: what stands right of < may import what stands left of
// it, and nothing else of this module. Unlike there, rows do not add up: a
// package may import only what its own row names. "./..." is all that lies
// under the same top-level folder. Tests may reach further: see forTests.
const imports = `
	# What everything may lean on leans on nothing.
	NONE < services/problem, services/hotel, services/internal/store, services/internal/contract, policies/policy, certs;

	# The token contract, spoken by the gateway and by every service.
	services/problem < authserver/token;
	authserver/token, authserver/internal/issue, authserver/internal/keyring < authserver/token/tokentest;

	# How processes run, and how they call each other.
	certs, services/problem < services/chassis;
	services/chassis, services/problem < services/internal/wire;
	authserver/token, services/problem < services/internal/peer;
	services/internal/store < services/internal/outbox;
	authserver/token, authserver/token/tokentest < services/internal/wiretest;

	# A service never imports its sibling: they meet over HTTP.
	services/hotel, services/chassis, services/problem, authserver/token,
	services/internal/peer, services/internal/store, services/internal/wire, services/internal/contract,
	services/internal/outbox, services/mail
	< services/search, services/reservations, services/payments, services/users, services/reporting, services/booking;

	# Mail goes out alike from everywhere.
	NONE < services/mail;

	# The world outside knows nothing of the hotel.
	services/chassis, services/problem < services/sandbox;

	# The gateway: stages know the transaction, not the policy and not each other.
	NONE < gateway/internal/framing;
	authserver/token, services/problem < gateway/internal/pipeline;
	NONE < gateway/internal/waf/transform;
	gateway/internal/waf/transform < gateway/internal/waf/collect;
	NONE < gateway/internal/waf/seclang;
	gateway/internal/waf/seclang < gateway/internal/waf/match;
	gateway/internal/waf/seclang, gateway/internal/waf/match, gateway/internal/waf/transform, gateway/internal/waf/collect < gateway/internal/waf/proof;
	gateway/internal/pipeline, authserver/token, services/problem < gateway/internal/limit, gateway/internal/body;
	gateway/internal/waf/proof, gateway/internal/waf/match, gateway/internal/waf/collect, gateway/internal/waf/transform, gateway/internal/waf/seclang, gateway/internal/pipeline, authserver/token, services/problem
	< gateway/internal/waf;
	gateway/internal/pipeline, authserver/token < gateway/internal/condition;
	gateway/internal/pipeline, gateway/internal/condition, authserver/token, services/problem < gateway/internal/access;
	gateway/internal/pipeline, gateway/internal/framing, authserver/token, services/problem, certs < gateway/internal/upstream;
	gateway/internal/pipeline < gateway/internal/compress;

	# Only compile knows both the policy and every stage.
	policies/policy, gateway/internal/pipeline, gateway/internal/condition, gateway/internal/access, gateway/internal/limit,
	gateway/internal/waf, gateway/internal/body, gateway/internal/upstream, gateway/internal/compress, authserver/token, certs
	< gateway/internal/compile;
	policies/policy, gateway/internal/compile, gateway/internal/pipeline < gateway/internal/reload;

	# What an edit opens is told from the policies alone; its tests route as the gateway does.
	policies/policy, gateway/internal/pipeline < gateway/internal/diff;

	# What was decided is remembered below the edge; whoever holds the socket asks for it.
	gateway/internal/pipeline, authserver/token, services/problem < gateway/internal/recent;
	gateway/internal/pipeline, authserver/token < gateway/internal/hits;
	gateway/internal/recent, gateway/internal/hits, gateway/internal/reload, gateway/internal/pipeline, policies/policy < gateway/internal/control;

	# A trial is the whole gateway without a network, for tests, explanations and reloads.
	policies/policy, gateway/internal/compile, gateway/internal/edge, gateway/internal/limit, gateway/internal/waf,
	gateway/internal/upstream, gateway/internal/pipeline, authserver/token
	< gateway/internal/trial;

	# Exclusions are proposed from recorded events and tried as they would be served.
	policies/policy, gateway/internal/compile, gateway/internal/trial, gateway/internal/waf, gateway/internal/hits, gateway/internal/pipeline
	< gateway/internal/tune;

	# Below HTTP there are connections, and certificates.
	gateway/internal/pipeline, services/chassis, certs < gateway/internal/listen;

	# What faces the network sees snapshots, not where they come from.
	gateway/internal/pipeline, services/chassis, services/problem < gateway/internal/edge, gateway/internal/ops;

	# The token service: keys, memory and reading; who may have which token; people; the endpoints.
	NONE < authserver/internal/keyring, authserver/internal/audit, authserver/internal/backoff, authserver/internal/form,
	authserver/internal/source;
	authserver/internal/keyring, authserver/token < authserver/internal/issue, authserver/internal/store;
	authserver/token < authserver/internal/revocation;
	authserver/internal/issue, authserver/internal/store, authserver/token, policies/policy < authserver/internal/clients;
	authserver/internal/store, authserver/internal/backoff, authserver/internal/form, services/mail < authserver/internal/accounts;
	authserver/internal/accounts, authserver/internal/form, authserver/internal/source < authserver/internal/pages;
	authserver/internal/clients, authserver/internal/issue, authserver/internal/store, authserver/internal/audit,
	authserver/internal/revocation, authserver/internal/pages, authserver/internal/backoff, authserver/internal/form,
	authserver/internal/source, authserver/token, services/problem
	< authserver/internal/oauth;

	# Programs wire things together.
	./..., authserver/token, services/chassis, services/problem, certs, policies/policy
	< gateway, authserver, services/cmd/hotel, certs/cmd/devcerts, deploy/local;

	# Black-box suites speak to programs, not to their packages.
	NONE < deploy/fault, deploy/systemd;
	certs < deploy/docker;
	authserver/token, services/hotel, services/problem, services/chassis, certs, policies/policy, deploy/fault
	< deploy/e2e, deploy/bench;
`

// forTests is what the tests of a package may import: since they use real
// parts, also what its imports may import in turn, an issuer to be called by, a
// way to call, and the world outside.
func (table importTable) forTests(name string) []string {
	may := slices.Clone(table[name])
	for i := 0; i < len(may); i++ {
		for _, m := range table[may[i]] {
			if !slices.Contains(may, m) {
				may = append(may, m)
			}
		}
	}
	return append(may, "authserver/token", "authserver/token/tokentest", "services/internal/wiretest", "services/sandbox")
}

func TestPackagesImportOnlyWhatTheTableAllows(t *testing.T) {
	table, err := parseImports(imports)
	if err != nil {
		t.Fatal(err)
	}
	packages := listPackages(t)
	if len(packages) < 10 {
		t.Fatalf("only %d packages were found: this test looks in the wrong place", len(packages))
	}
	for _, p := range packages {
		for _, complaint := range table.judge(p) {
			t.Error(complaint)
		}
	}
}

func TestTheImportTableRefuses(t *testing.T) {
	table, err := parseImports(imports)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		p       listed
		refused bool
	}{
		{"a package without a row", listed{ImportPath: "portcullis/gateway/internal/newcomer"}, true},
		{"a stage that reads policies", listed{ImportPath: "portcullis/gateway/internal/limit", Imports: []string{"portcullis/policies/policy"}}, true},
		{"a stage that knows another", listed{ImportPath: "portcullis/gateway/internal/waf", Imports: []string{"portcullis/gateway/internal/limit"}}, true},
		{"a service that imports its sibling", listed{ImportPath: "portcullis/services/search", Imports: []string{"portcullis/services/reservations"}}, true},
		{"a gateway that imports a service", listed{ImportPath: "portcullis/gateway", Imports: []string{"portcullis/services/search"}}, true},
		{"what an import may import in turn", listed{ImportPath: "portcullis/gateway/internal/edge", Imports: []string{"portcullis/certs"}}, true},
		{"a test that reaches further than its package", listed{ImportPath: "portcullis/gateway/internal/edge", XTestImports: []string{"portcullis/gateway/internal/compile"}}, true},
		{"an issuer outside a test", listed{ImportPath: "portcullis/gateway/internal/edge", Imports: []string{"portcullis/authserver/token/tokentest"}}, true},
		{"but not the parts below in a test", listed{ImportPath: "portcullis/authserver/internal/oauth", XTestImports: []string{"portcullis/authserver/internal/store"}}, false},
		{"nor an issuer in a test", listed{ImportPath: "portcullis/gateway/internal/edge", TestImports: []string{"portcullis/authserver/token/tokentest"}}, false},
		{"nor a program that wires its own", listed{ImportPath: "portcullis/gateway", Imports: []string{"portcullis/gateway/internal/edge"}}, false},
		{"nor a test of a package from outside", listed{ImportPath: "portcullis/certs", XTestImports: []string{"portcullis/certs"}}, false},
		{"nor other modules", listed{ImportPath: "portcullis/certs", Imports: []string{"crypto/x509", "portcullis.example/x"}}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if complaints := table.judge(test.p); (len(complaints) > 0) != test.refused {
				t.Errorf("complaints: %q", complaints)
			}
		})
	}
}

// importTable holds for each package what its row names.
type importTable map[string][]string

func parseImports(text string) (importTable, error) {
	var clean strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		clean.WriteString(line + " ")
	}
	table := importTable{}
	for row := range strings.SplitSeq(clean.String(), ";") {
		if strings.TrimSpace(row) == "" {
			continue
		}
		left, right, ok := strings.Cut(row, "<")
		if !ok {
			return nil, fmt.Errorf("the row %q has no <", row)
		}
		may := names(left)
		for _, p := range names(right) {
			if _, twice := table[p]; twice {
				return nil, fmt.Errorf("%s has two rows", p)
			}
			table[p] = may
		}
	}
	for p, may := range table {
		for _, m := range may {
			if _, known := table[m]; !known && m != "./..." {
				return nil, fmt.Errorf("%s may import %s, which has no row", p, m)
			}
		}
	}
	return table, nil
}

func names(list string) (names []string) {
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); name != "NONE" {
			names = append(names, name)
		}
	}
	return names
}

// judge says what a package imports and may not.
func (table importTable) judge(p listed) (complaints []string) {
	name := ours(p.ImportPath)
	may, ok := table[name]
	if !ok {
		return []string{name + " has no row in the import table of deploy/e2e/imports_test.go: add one, and to ARCHITECTURE.md"}
	}
	check := func(what string, imported, may []string) {
		for _, path := range imported {
			if dep := ours(path); dep != "" && dep != name && !allows(may, name, dep) {
				complaints = append(complaints, fmt.Sprintf("%s%s imports %s; it may import %s",
					name, what, dep, cmp.Or(strings.Join(may, ", "), "nothing of ours")))
			}
		}
	}
	check("", p.Imports, may)
	check(" (its tests)", p.TestImports, table.forTests(name))
	check(" (its tests)", p.XTestImports, table.forTests(name))
	return complaints
}

func allows(may []string, name, dep string) bool {
	if slices.Contains(may, dep) {
		return true
	}
	top, _, _ := strings.Cut(name, "/")
	return slices.Contains(may, "./...") && strings.HasPrefix(dep, top+"/")
}

// ours is an import path without the module, empty for packages of others.
func ours(path string) string {
	name, ok := strings.CutPrefix(path, module+"/")
	if !ok {
		return ""
	}
	return name
}

// listed is what go list tells of a package.
type listed struct {
	ImportPath     string
	Dir            string
	Module         *struct{ Path string }
	Imports        []string
	TestImports    []string
	XTestImports   []string
	IgnoredGoFiles []string
}

func listPackages(t *testing.T) (packages []listed) {
	t.Helper()
	root := filepath.Join("..", "..")
	for _, folder := range []string{"gateway", "authserver", "services", "policies", "certs", "deploy"} {
		// Results of tests are cached by what the test itself opened, and go
		// list opens files in another process: without this walk, a forbidden
		// import would hide behind an older "ok".
		if err := filepath.WalkDir(filepath.Join(root, folder), func(string, fs.DirEntry, error) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-e", // what does not build is the build's to report

		"-json=ImportPath,Dir,Module,Imports,TestImports,XTestImports,IgnoredGoFiles", "./...")
	list.Dir = root
	var complaint strings.Builder
	list.Stderr = &complaint
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &complaint)
	}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module == nil || p.Module.Path != module {
			continue
		}
		p.addIgnored(t)
		packages = append(packages, p)
	}
}

// addIgnored adds the imports of files that build only elsewhere or with a
// tag, or a build constraint would be a way round the table.
func (p *listed) addIgnored(t *testing.T) {
	for _, file := range p.IgnoredGoFiles {
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasSuffix(file, "_test.go") {
				p.TestImports = append(p.TestImports, path)
			} else {
				p.Imports = append(p.Imports, path)
			}
		}
	}
}
