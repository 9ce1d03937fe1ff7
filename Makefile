# `make` prints what there is. Tools are pinned here and run with `go run`.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Without this tag the WAF's engine keeps one of two form fields that differ
# only in case, and an attack hides in the other; the gateway refuses to start.
TAGS := -tags coraza.rule.case_sensitive_args_keys
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME ?= 20s

# A program built with the race detector sleeps for a second at its end otherwise,
# and the tests run some hundreds.
export GORACE := atexit_sleep_ms=0

.PHONY: help build run test nightly lint fmt fuzz bench check

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/gateway, bin/authserver, bin/hotel, bin/up (static)
	@deploy/local/build.sh

run: build ## start the whole system on this machine, with embedded defaults
	@exec bin/up

# Allocations are counted without the race detector, which makes some: by the
# tests with Alloc in their names. So is the benign corpus run, in a tenth of the time.
test: ## everything that must hold: lint, unit and end-to-end tests, race detector on
	@deploy/prepare.sh
	@$(MAKE) --no-print-directory lint
	go test -run TestEveryMutation $(TAGS) ./gateway/internal/trial
	go test -run TestBenignCorpus $(TAGS) ./gateway/internal/waf
	go test -run Alloc $(TAGS) $$(grep -rl --include='*_test.go' AllocsPerRun . | xargs -n1 dirname | sort -u)
	go test -race -shuffle=on -timeout 20m $(TAGS) ./...

nightly: ## what takes longer: tests repeated, every fuzz target, long end-to-end runs, benchmarks
	@deploy/prepare.sh nightly
	go test -race -shuffle=on -count=2 -timeout 60m $(TAGS) ./...
	go test -v -run 'TestEveryShellBlock' -timeout 20m $(TAGS),nightly ./deploy/e2e
	go test -race -v -run 'TestSoak|TestAGatewayBuiltWithoutItsTag|TestKilling|TestReloads|TestAGuestBooksInABrowser|TestABookingHolds|TestTheTokenServiceMayBeDown|TestH2spec|TestFloods|TestAScanner|TestLarge' -timeout 40m $(TAGS),nightly ./deploy/e2e
	go test -v -timeout 180m $(TAGS),nightly ./gateway/internal/waf/...
	go test -v -run 'TestTheCoreRuleSetsOwnTests' -timeout 60m $(TAGS),nightly ./deploy/e2e
	WAF_PROOF=off go test -race -timeout 40m $(TAGS) ./deploy/e2e
	go test -race -run Flood -timeout 20m $(TAGS),nightly ./services/chassis
	go test -v -run 'TestEverySpellingIsReadAlike' -timeout 120m $(TAGS),nightly ./deploy/e2e
	@$(MAKE) --no-print-directory fuzz FUZZTIME=30s
	@$(MAKE) --no-print-directory bench

lint: ## formatting, vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not gofmt-ed (make fmt mends it):"; echo "$$unformatted"; exit 1; fi
	go vet $(TAGS),nightly ./...
	go run $(STATICCHECK) $(TAGS),nightly ./...

fmt: ## format every Go file
	gofmt -w $$(git ls-files '*.go')

fuzz: ## run every fuzz target for FUZZTIME (20s)
	@grep -rl --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do \
	  for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' $$dir/*_test.go | sed 's/func //'); do \
	    echo "== $$dir $$target"; go test $(TAGS) -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5s $$dir; \
	  done; done

bench: ## what gateway, token service and policies cost, each beside a baseline of the same run (6 minutes)
	go run $(TAGS) ./deploy/bench
	@echo "== the parts of the edge, each in ns and allocations a request: canonical path, owned headers, query, framing check, warm bearer"
	@go test $(TAGS) -run '^$$' -bench 'CanonicalPath|Owned|ReadQuery|Framing|WarmBearer|VerifyHit' -benchmem -benchtime 0.5s ./gateway/internal/edge ./gateway/internal/pipeline ./gateway/internal/framing ./authserver/token | grep -E '^Benchmark'
	@echo "== the WAF with its proof and without, in CPU time of one run, what loading a profile costs, and what rules were estimated to take beside what they took"
	@GOMAXPROCS=1 go test $(TAGS) -run '^$$' -bench 'Proof|Load|Cost' -benchtime 1x ./gateway/internal/waf | grep -E '^Benchmark'
	@echo "== a rule in CEL, in plain words and in Go"
	@go test $(TAGS) -run '^$$' -bench 'Condition$$' -benchmem ./gateway/internal/access | grep -E '^Benchmark'
	@echo "== ten thousand routes beside a hundred: to load, to compile, to match (beside chi alone)"
	@go test $(TAGS) -run '^$$' -bench 'Routes|Tables' -benchtime 0.5s ./gateway/internal/compile ./gateway/internal/pipeline | grep -E '^Benchmark'
	@echo "== what an edit of ten thousand routes opens"
	@go test $(TAGS) -run '^$$' -bench 'TenThousand' -benchtime 1x ./gateway/internal/diff | grep -E '^Benchmark'

check: test ## the same as make test, which is what CI runs
