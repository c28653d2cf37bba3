# What people and machines run here; `make` alone explains itself.

# Commands that the tests need beside Go, and the Debian packages that bring them (libc6-dev
# is what gcc links race-enabled tests against). Go modules come by themselves.
COMMANDS := gcc chromium
PACKAGES := gcc libc6-dev chromium

GO_VERSION       := 1.26
GOLANGCI_VERSION := v2.15.0
VULN_VERSION     := v1.9.0
SBOM_VERSION     := v1.10.0

PKG      ?= ./...
BENCH    ?= .
COUNT    ?= 1
FUZZTIME ?= 10s
TIMEOUT  ?= 10m
COVERAGE ?= 85
LOOKUPS  ?= 100000
VULNDB   ?= https://vuln.go.dev
SBOM     ?= muster.cdx.json

# The linter takes minutes to build, so it is kept outside the checkout: one for each pair of
# versions, since a linter cannot read code for a newer Go than it was built with.
GO_FOUND := $(firstword $(filter go1.%,$(shell go env GOVERSION 2>/dev/null)))
TOOLS    := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/muster-tools
LINT_DIR := $(TOOLS)/golangci-lint-$(GOLANGCI_VERSION)-$(or $(GO_FOUND),none)
LINT     := $(LINT_DIR)/golangci-lint

# Real systems that tests put Muster before. Each is pinned, with all it is made of, by a module
# of its own, so that none of it is in ours; cmd/muster/systems_test.go reads the same go.mod.
SYSTEMS_IN := cmd/muster/testdata/systems
SYSTEMS    := $(foreach mod,$(wildcard $(SYSTEMS_IN)/*/go.mod),$(TOOLS)/$(notdir $(patsubst %/,%,$(dir $(mod))))-$(shell awk '$$1 == "require" && NF == 3 { print $$3 }' $(mod)))

# An issuer of callers' tokens, of packages for Node.js that a lock pins; cmd/muster/callers_test.go
# reads the same package.json.
ISSUER_IN := $(SYSTEMS_IN)/oidc-provider
ISSUER    := $(TOOLS)/oidc-provider-$(shell sed -n 's/.*"oidc-provider": "\(.*\)".*/\1/p' $(ISSUER_IN)/package.json)

# A vendor's quirks live in its YAML; Go code that names a vendor has begun to special-case it.
VENDORS := aveva|itwin|bentley|kobil|numium|vmware|\<csp\>

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

.PHONY: help
help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "PKG=./normalize narrows test, bench and fuzz; see the top of the Makefile for more."

.PHONY: demo
demo: go-version ## The gateway before simulated upstreams, on this machine alone
	@go run ./cmd/muster demo

.PHONY: test
test: prerequisites vet lint ## Install what is missing, vet, lint, then every test under the race detector
	@for system in $(SYSTEMS); do \
		[ -x "$$system" ] || echo "NOT TESTED against $${system##*/}: it is not there. \`make systems\` builds it (a minute or two, once)."; \
	done
	@[ -d "$(ISSUER)/node_modules" ] || echo "NOT TESTED against $(notdir $(ISSUER)): it is not there. \`make systems\` installs it, where there is Node.js with npm."
	@command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || \
		echo "NOT TESTED against PostgreSQL: initdb is not there. On Debian: sudo apt-get install postgresql"
	CGO_ENABLED=1 go test -race -timeout $(TIMEOUT) $(PKG)

.PHONY: soak
soak: go-version ## Hunt for another person's data, and for another tenant's, in LOOKUPS lookups each, 100000 unless told
	go test ./cmd/muster -count 1 -v -run TestNobodyIsTakenForAnotherUnderLoad -lookups $(LOOKUPS) -timeout $(TIMEOUT)
	go test ./cmd/muster -count 1 -v -run TestNothingCrossesTenants -crossings $(LOOKUPS) -timeout $(TIMEOUT)

.PHONY: vet
vet: go-version
	go vet $(PKG)

.PHONY: lint
lint: $(LINT) ## The linter, with the fences of .golangci.yml
	@if grep -rniE '$(VENDORS)' --include='*.go' --exclude='*_test.go' --exclude-dir=simulator .; then \
		echo "These lines name a vendor. What is special about one belongs in its YAML or its simulator."; exit 1; \
	fi
	$(LINT) run $(PKG)

$(LINT): | go-version
	@echo "Building golangci-lint $(GOLANGCI_VERSION) into $(LINT_DIR): a few minutes, once."
	@GOBIN=$(LINT_DIR) GOFLAGS= CGO_ENABLED=0 \
		go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

# What cannot be checked is not passed over: without the database this fails, unless whoever
# calls says VULNDB=none.
.PHONY: audit
audit: lint sbom ## Known vulnerabilities (VULNDB=URL, or none to leave them out), gosec, and an SBOM
	@if [ '$(VULNDB)' = none ]; then echo "NOT CHECKED for known vulnerabilities: VULNDB=none."; exit 0; fi; \
	GOFLAGS= go run golang.org/x/vuln/cmd/govulncheck@$(VULN_VERSION) -db '$(VULNDB)' $(PKG) || { \
		echo "FAILED: a known vulnerability is reachable, or the database at $(VULNDB) is not; it says so above."; \
		echo "VULNDB=URL names a mirror (file:///… a copy); VULNDB=none leaves this out, and says so."; exit 1; }

.PHONY: sbom
sbom: go-version ## What the binary is made of, as CycloneDX, in muster.cdx.json
	@GOFLAGS= go run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@$(SBOM_VERSION) app \
		-json -licenses -assert-licenses -noserial -main cmd/muster -output '$(SBOM)' .
	@echo "$(SBOM): $$(grep -c '"purl"' '$(SBOM)') components"

.PHONY: systems
systems: $(SYSTEMS) issuer ## Build the real systems that tests ask, outside of the checkout

$(SYSTEMS): $(TOOLS)/%: | prerequisites
	@echo "Building $* into $(TOOLS): a minute or two, once."
	@module=$(SYSTEMS_IN)/$(firstword $(subst -v, ,$*)); \
	GOFLAGS= CGO_ENABLED=1 go build -C $$module -trimpath -tags sqlite -ldflags '-s -w' -o $@ $$(awk '/^tool / { print $$2 }' $$module/go.mod)

# Whoever has no Node.js tests the rest, and is told.
.PHONY: issuer
issuer:
	@if [ -d "$(ISSUER)/node_modules" ]; then exit 0; fi; \
	if ! command -v npm >/dev/null; then echo "$(notdir $(ISSUER)) is not installed: it needs Node.js with npm."; exit 0; fi; \
	echo "Installing $(notdir $(ISSUER)) into $(TOOLS): some seconds, once."; \
	rm -rf "$(ISSUER).new" && mkdir -p "$(ISSUER).new" && \
	cp $(ISSUER_IN)/package.json $(ISSUER_IN)/package-lock.json "$(ISSUER).new" && \
	npm ci --prefix "$(ISSUER).new" --ignore-scripts --no-audit --no-fund --silent && \
	rm -rf "$(ISSUER)" && mv "$(ISSUER).new" "$(ISSUER)"

.PHONY: bench
bench: go-version ## Benchmarks with allocations (BENCH=pattern COUNT=runs)
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) $(PKG)

.PHONY: fuzz
fuzz: go-version ## Every fuzz target for FUZZTIME, 10s each unless told
	@listed=$$(go test -list '^Fuzz' $(PKG)) || { echo "$$listed"; exit 1; }; \
	echo "$$listed" | awk '/^Fuzz/ { name[++n] = $$1 } /^ok/ { while (n) print $$2, name[n--] }' | \
	while read -r package target; do \
		echo "$$package $$target"; \
		go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "$$package" </dev/null || exit 1; \
	done

.PHONY: cover
cover: go-version ## Coverage of normalize and adapters by their own tests; no package under COVERAGE, 85 % unless told
	@mkdir -p .cover; failed=0; \
	for tree in normalize adapters; do \
		go test -coverpkg ./$$tree/... -coverprofile .cover/$$tree.out ./$$tree/... >.cover/$$tree.log || \
			{ cat .cover/$$tree.log; exit 1; }; \
		awk -v least=$(COVERAGE) '$(COVERAGE_BY_PACKAGE)' .cover/$$tree.out || failed=1; \
	done; exit $$failed

# A profile names each block once for every test binary: FILE:RANGE STATEMENTS COUNT.
define COVERAGE_BY_PACKAGE
NR > 1 { package = $$1; sub("/[^/]*:.*", "", package); \
         if (!seen[$$1]++) all[package] += $$2; \
         if ($$3 && !hit[$$1]++) covered[package] += $$2 } \
END    { for (package in all) { \
             share = 100 * covered[package] / all[package]; low += share < least; \
             printf "%6.1f %%  %s%s\n", share, package, share < least ? "  (under " least " %)" : "" } \
         exit low > 0 }
endef

.PHONY: go-version
go-version:
	@oldest=$$(printf '%s\n' 'go$(GO_VERSION)' '$(GO_FOUND)' | sort -V | head -n 1); \
	[ "$$oldest" = 'go$(GO_VERSION)' ] || \
		{ echo "Go $(GO_VERSION) or newer is needed; found $(or $(GO_FOUND),none). See https://go.dev/dl."; exit 1; }

.PHONY: prerequisites
prerequisites: go-version
	@missing=; for command in $(COMMANDS); do command -v $$command >/dev/null || missing="$$missing $$command"; done; \
	[ -n "$$missing" ] || exit 0; \
	root=; [ "$$(id -u)" = 0 ] || root="sudo -n"; \
	if command -v apt-get >/dev/null && $$root true 2>/dev/null; then \
		echo "Installing what the tests need:$$missing"; \
		$$root apt-get update -qq && \
		$$root env DEBIAN_FRONTEND=noninteractive apt-get install -qqy --no-install-recommends $(PACKAGES) >/dev/null; \
	else \
		echo "The tests need$$missing, which cannot be installed from here."; \
		echo "Please install them and try again. On Debian: sudo apt-get install $(PACKAGES)"; \
		exit 1; \
	fi

# For scripts that install everything beforehand.
.PHONY: packages
packages:
	@echo $(PACKAGES)
