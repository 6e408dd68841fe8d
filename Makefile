# Everything is built from this folder with Go and make; `make help` lists what there is.

GOTESTSUM = gotest.tools/gotestsum@v1.13.0
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME ?= 30s
SKIPPED = $(CURDIR)/build/skipped

.PHONY: help run build generate test lint fuzz bench tools

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Build and start a complete demo on loopback
	@build/praxisrelay demo

build: ## Build the program as build/praxisrelay
	CGO_ENABLED=0 go build -trimpath -o build/praxisrelay ./cmd/praxisrelay

generate: ## Write the documents that are made of the code
	go generate ./...

packages: ## Leave .deb, .rpm, programs for all platforms and SBOMs in dist/
	systemd/packages/build dist

test: tools lint build ## Run everything that CI runs; what had to be skipped is said at the end
	@rm -f $(SKIPPED) build/tests-*.json
	$(call tests,all,40m,$$(go list ./... | grep -v /e2e/load))
	go test -race -vet=off ./signal/code
	# Alone, since these load the machine and measure at the same time.
	$(call tests,load,20m,./cmd/praxisrelay/e2e/load)
	@echo; echo "The slowest:"; cat build/tests-*.json | go run $(GOTESTSUM) tool slowest --num 20
	@if [ -s $(SKIPPED) ]; then echo; echo "SKIPPED:"; cat $(SKIPPED); fi

# tests NAME,TIMEOUT,PACKAGES; lint has vetted them. Stretching codes takes eight times as
# long under the race detector, and its hashes share nothing: without it there, tests of the
# program spend their time on what they test.
tests = PRAXISRELAY_TEST_SKIPPED=$(SKIPPED) go run $(GOTESTSUM) --format pkgname-and-test-fails --jsonfile build/tests-$(1).json -- \
	-race -shuffle=on -vet=off -p 2 -parallel 4 -timeout $(2) \
	-gcflags='crypto/internal/fips140/...=-race=false' -gcflags='praxisrelay/signal/code=-race=false' $(3)

tools: ## Install what the tests need, where that is possible (Debian, as root)
	@./.ci/tools

lint: ## Check formatting and run the linters
	@unformatted=$$(gofmt -l cmd config docs relay signal systemd); \
	if [ -n "$$unformatted" ]; then echo "gofmt differs: $$unformatted"; exit 1; fi
	go vet ./...
	GOOS=windows go build -o /dev/null ./cmd/praxisrelay && GOOS=darwin go build -o /dev/null ./cmd/praxisrelay
	go run $(STATICCHECK) ./...

fuzz: ## Fuzz every parser of foreign bytes, each for FUZZTIME (30s)
	@set -e; for package in $$(go list ./...); do for target in $$(go test -vet=off -list '^Fuzz' $$package | grep '^Fuzz'); do \
		echo "$$package $$target"; \
		go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s $$package; \
	done; done

bench: ## Measure what the core costs per packet and per request, and 10,000 clients that come at once
	go test -run '^$$' -bench . -benchmem ./relay/core
	go test -run '^$$' -bench JoinStorm -benchtime 1x ./cmd/praxisrelay/e2e/load
