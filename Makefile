# What people rely on: demo, up, test, check, setup, fuzz, bench (design of the interface).
GO ?= go
BIN := bin/lanyard
DATA ?= tmp/up

help: ## show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12
build: ## build bin/lanyard
	CGO_ENABLED=0 $(GO) build -trimpath -o $(BIN) ./cmd/lanyard
demo: build ## run the main job once: server, trigger, pipeline, log, verdict
	@dir=$$(mktemp -d) && $(BIN) up --once --listen 127.0.0.1:0 --data "$$dir/data" --log-level warn; code=$$?; rm -rf "$$dir"; exit $$code
up: build ## the same, and stay to look around (data in tmp/up)
	$(BIN) up --data $(DATA) --log-level warn
setup: ## install what tests need, by package name (the only step with a network)
	sh scripts/setup.sh
test: setup ## everything
	$(GO) vet ./...
	$(GO) test -timeout 20m ./...
check: ## quick: format, vet, tests without servers
	@test -z "$$(gofmt -l cmd internal e2e bench)" || { gofmt -l cmd internal e2e bench; exit 1; }
	$(GO) vet ./... && $(GO) vet -tags runner_e2e ./e2e/runner/
	$(GO) test -short $$($(GO) list ./... | grep -v -e /e2e -e /bench)
runner-e2e: ## a stock gitlab-runner (RUNNER=/path/to/gitlab-runner) works for this server
	@test -x "$(RUNNER)" || { echo 'usage: make runner-e2e RUNNER=/path/to/gitlab-runner' >&2; exit 2; }
	LANYARD_E2E_RUNNER="$(abspath $(RUNNER))" $(GO) test -tags runner_e2e -timeout 20m -count 1 -v ./e2e/runner/
race: ## unit tests with the race detector
	$(GO) test -race -short $$($(GO) list ./... | grep -v -e /e2e -e /bench)
fuzz: ## every fuzz target, T each
	sh scripts/fuzz.sh $(or $(T),10m)
bench: ## benchmarks beside the code, then the load run (docs/benchmarks.md)
	$(GO) test -run '^$$' -bench . -benchmem ./internal/...
	$(GO) test -run '^$$' -bench . -benchtime 1x ./bench/postgres
	sh scripts/load.sh
clean: ## remove what was built
	rm -rf bin tmp

.PHONY: help build demo up setup test check runner-e2e race fuzz bench clean
