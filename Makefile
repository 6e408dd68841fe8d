# Everything is built from this folder with Go and make; `make help` lists what there is.

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME ?= 30s
SKIPPED = $(CURDIR)/build/skipped

.PHONY: help run build generate test lint fuzz bench tools

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: build ## Build and start a complete demo on loopback
	@build/praxisrelay demo

build: ## Build the program as build/praxisrelay
	CGO_ENABLED=0 go build -trimpath -o build/praxisrelay ./cmd/praxisrelay

generate: ## Write the documents that are made of the code
	go generate ./...

packages: ## Leave .deb, .rpm, programs for all platforms and SBOMs in dist/
	systemd/packages/build dist

test: tools lint build ## Run everything that CI runs; what had to be skipped is said at the end
	@rm -f $(SKIPPED)
	PRAXISRELAY_TEST_SKIPPED=$(SKIPPED) go test -race -shuffle=on -timeout 20m $$(go list ./... | grep -v /cmd/)
	# Apart, since some of these load the machine and measure beside it.
	PRAXISRELAY_TEST_SKIPPED=$(SKIPPED) go test -race -shuffle=on -timeout 60m ./cmd/...
	@if [ -s $(SKIPPED) ]; then echo; echo "SKIPPED:"; cat $(SKIPPED); fi

tools: ## Install what the tests need, where that is possible (Debian, as root)
	@./.ci/tools

lint: ## Check formatting and run the linters
	@unformatted=$$(gofmt -l cmd config docs relay signal systemd); \
	if [ -n "$$unformatted" ]; then echo "gofmt differs: $$unformatted"; exit 1; fi
	go vet ./...
	GOOS=windows go build -o /dev/null ./cmd/... && GOOS=darwin go build -o /dev/null ./cmd/...
	go run $(STATICCHECK) ./...

fuzz: ## Fuzz every parser of foreign bytes, each for FUZZTIME (30s)
	@set -e; for package in $$(go list ./...); do for target in $$(go test -vet=off -list '^Fuzz' $$package | grep '^Fuzz'); do \
		echo "$$package $$target"; \
		go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s $$package; \
	done; done

bench: ## Measure what the core costs per packet and per request, and 10,000 clients that come at once
	go test -run '^$$' -bench . -benchmem ./relay/core
	go test -run '^$$' -bench JoinStorm -benchtime 1x ./cmd/praxisrelay
