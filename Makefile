# Toolfunnel: everything one does with a clone. `make help` lists the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready
EXTRAS := $(VENV)/.ready-extras
APPS   := .venv-clients
NODE   := tests/clients/node
TORCH  := torch==2.13.0

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Everything that is installed is locked, so nothing is left to resolve: an old pip takes no pin for `thing` where another
# package asks for `thing[extra]`, and fails as soon as a release newer than the lock is out.
INSTALL := $(BIN)/python scripts/pip_install.py --no-deps --require-hashes --only-binary :all:

$(STAMP): requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=python3.11 …"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "This Python cannot make environments. On Debian: apt install python3-venv"; exit 1; }
	@mkdir -p $(VENV) && date +%s > $(VENV)/.began
	@echo "Making $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@echo "Installing the locked packages, 1 GB unpacked; one to three minutes …"
	@$(INSTALL) -r requirements/dev.txt
	@echo "Installing the toolfunnel command …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m pip check --quiet --disable-pip-version-check
	@touch $@
	@echo "Ready after $$(( $$(date +%s) - $$(cat $(VENV)/.began) )) seconds."

.PHONY: setup
setup: $(STAMP) ## make .venv with the locked requirements and the toolfunnel command
	@echo "Next: make demo                  three questions through a gateway with hundreds of tools"
	@echo "      $(BIN)/toolfunnel --help    everything else; README.md#your-provider-your-tools begins with 'serve'"

# torch comes last and without hashes: which of its builds fits depends on the machine, and what it needs with that.
# The old pips are for the test that installs with them.
$(EXTRAS): requirements/encoders.txt $(wildcard requirements/pips/*.txt) $(STAMP)
	@echo "Installing what the tests of the encoders need …"
	@$(INSTALL) -r requirements/encoders.txt
	@for pip in requirements/pips/*.txt; do \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary :all: \
			--upgrade --target $(VENV)/pips/$$(basename $$pip .txt) -r $$pip || exit 1; \
	done
	@echo "Installing $(TORCH), the largest of them …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: $(TORCH)
	@touch $@

.PHONY: extras
extras: $(EXTRAS) ## add torch, sentence-transformers and the ONNX exporter to .venv, as the tests need them

.PHONY: demo
demo: $(STAMP) ## run three questions through a gateway with hundreds of tools (ONCE=1: then stop; MODEL=, PORT=)
	@$(BIN)/toolfunnel demo --catalog examples/catalog $(if $(ONCE),--once) $(if $(MODEL),--model $(MODEL)) $(if $(PORT),--port $(PORT))

# One more than there are cores: many tests wait for a clock.
JOBS ?= $(shell $(PYTHON) -c 'import os; print(min(5, 1 + (os.cpu_count() or 1)))')

# Several processes share the cores: threads of theirs that compute would only wait for each other.
PYTEST := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile

.PHONY: test
test: extras ## run the test suite, a file at a time in each of JOBS processes (LARGE=1: large data sets, more examples)
	$(if $(LARGE),LARGE=1) $(PYTEST) --durations=15 $(if $(LARGE),--hypothesis-profile thorough)

# Apart from .venv: some of these packages hold the openai package at an older release than the gateway's own.
$(APPS)/.ready: requirements/clients.txt | $(STAMP)
	@echo "Making $(APPS): the frameworks that applications are written with, 700 MB unpacked …"
	@$(PYTHON) -m venv --clear $(APPS)
	@$(APPS)/bin/python scripts/pip_install.py --no-deps --require-hashes --only-binary :all: -r requirements/clients.txt
	@$(APPS)/bin/python -m pip check --quiet --disable-pip-version-check
	@touch $@

$(NODE)/node_modules/.ready: $(NODE)/package.json $(NODE)/package-lock.json
	@node -e 'process.exit(process.versions.node.split(".")[0] < 20 ? 1 : 0)' || { echo "Node 20 or later is needed, with npm: https://nodejs.org"; exit 1; }
	@cd $(NODE) && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

.PHONY: test-clients
test-clients: $(STAMP) $(APPS)/.ready $(NODE)/node_modules/.ready ## run sixteen clients against the gateway, in an environment of their own (3 minutes)
	ALL_CLIENTS=1 OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest tests/clients

SLOW := tests/unit/router/embed tests/unit/app/encoders/test_make.py tests/unit/bench/test_gateway.py tests/house/test_readme.py

.PHONY: test-fast
test-fast: $(STAMP) ## run what needs no server, no PostgreSQL and no torch, for work in progress (2 minutes)
	$(PYTEST) tests/unit tests/house tests/contract -k "not postgres" $(addprefix --ignore=,$(SLOW))

.PHONY: mutants
mutants: extras ## put 47 faults into a copy of the code, one by one, and look which test finds each (ONLY="word …", WRITE=1; 6 minutes)
	@$(BIN)/python -m tests.mutants $(ONLY) $(if $(WRITE),--write) $(if $(JSON),--json)

ROUNDS ?= 3

.PHONY: bench
bench: $(STAMP) ## measure the gateway beside nginx and a plain proxy (WITH=litellm, WRITE=1, LARGE=1, ROUNDS=3; 6 minutes)
	$(BIN)/python -m bench.gateway --rounds $(ROUNDS) $(if $(WITH),--with $(WITH)) $(if $(LARGE),--large) $(if $(WRITE),--write)

.PHONY: bench-model
bench-model: $(STAMP) ## measure what a real model gains from fewer tools (WRITE=1; downloads 150 MB, 5 minutes)
	$(BIN)/python -m bench.gateway.model $(if $(WRITE),--write)

COUNT ?= 20000

.PHONY: chaos-cancels
chaos-cancels: $(STAMP) ## cancel 20,000 requests under contention and look at the connections left (COUNT=; 3 minutes)
	$(BIN)/python -m tests.chaos.churn --count $(COUNT)

.PHONY: chaos-loops
chaos-loops: $(STAMP) ## break answers 3,000 times, relay 10,000 odd streams, and compare the bytes (4 minutes)
	$(BIN)/python -m tests.chaos.loops

KILLS ?= 200

.PHONY: durability
durability: $(STAMP) ## kill writers and PostgreSQL, fail the disk, compare with a dictionary (KILLS=; 20 minutes)
	$(BIN)/python -m tests.durability.kills --runs $(KILLS)

.PHONY: bench-pgvector
bench-pgvector: $(STAMP) ## measure search in PostgreSQL against exact search (URL=postgresql://…; 3 minutes)
	$(BIN)/python -m bench.pgvector --url $(URL)

.PHONY: bench-keys
bench-keys: $(STAMP) ## measure what checking a caller's key costs, and how soon a revoked one is refused (1 minute)
	$(BIN)/python -m bench.keys

.PHONY: bench-retrieval
bench-retrieval: $(STAMP) ## measure 100 to 100,000 tools; writes docs/benchmarks (10 minutes, 2 GB)
	$(BIN)/python -m bench.retrieval --write

DATA ?= ../shared/data/*
RUNS ?= default

.PHONY: eval
eval: $(STAMP) ## measure how well tools are found; writes docs/benchmarks (DATA="folder …", RUNS="default two=two.yaml")
	$(BIN)/python -m bench.quality $(addprefix --run ,$(RUNS)) --out docs/benchmarks/retrieval-quality.md $(wildcard $(DATA))

.PHONY: bench-flood
bench-flood: $(STAMP) ## measure what a flood of tools does to the list, and the limit against it (2 minutes)
	$(BIN)/python -m bench.flood

CLIENTS ?= 1000

.PHONY: crowd
crowd: $(STAMP) ## measure what slow, stalled and leaving clients cost; docs/reliability.md (2 minutes, CLIENTS=1000)
	ulimit -n $$(ulimit -H -n) && $(BIN)/python -m tests.edge.crowd $(CLIENTS)

REQUESTS ?= 100000

.PHONY: soak
soak: $(STAMP) ## send 100,000 answers, errors and disconnects to one worker and to two, then too much (REQUESTS=; 15 minutes)
	$(BIN)/python -m tests.load.soak --count $(REQUESTS)
	$(BIN)/python -m tests.load.soak --count $(REQUESTS) --workers 2
	$(BIN)/python -m tests.load.streams
	$(BIN)/python -m tests.load.overload

EXAMPLES ?= 400

.PHONY: fuzz-admin
fuzz-admin: $(STAMP) ## ask the admin API what its OpenAPI document allows and what not, 400 times each (EXAMPLES=; 15 minutes)
	$(BIN)/python -m tests.admin.fuzz --examples $(EXAMPLES)

SETS ?= ../shared/data

.PHONY: fit
fit: extras ## fit the map of questions and the weights, write docs/benchmarks (SETS=folder, ONNX=folder; 10 minutes)
	$(BIN)/python -m bench.fit --data $(SETS) $(if $(ONNX),--onnx $(ONNX))

MANIFESTS := $(filter-out %/kustomization.yaml,$(wildcard deploy/kubernetes/*.yaml))

CHECKS := check-code check-types check-files

.PHONY: check
check: $(STAMP) ## format, lint, types, import contracts, container files, manifests: beside each other
	@$(MAKE) --no-print-directory --jobs $(JOBS) --output-sync $(CHECKS)

.PHONY: $(CHECKS)
check-code: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

check-types: $(STAMP)
	$(BIN)/mypy

check-files: $(STAMP)
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	for version in 1.30 1.37; do $(BIN)/kubernetes-validate --strict --quiet -k $$version $(MANIFESTS) || exit 1; done

CACHE ?=

.PHONY: verify-image
verify-image: ## carry out the Dockerfile without Docker and run what comes of it (as root; CACHE=folder; 4 minutes)
	scripts/verify-image $(if $(CACHE),--cache $(CACHE))

.PHONY: format
format: $(STAMP) ## rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Nothing younger than a week: a release that was tampered with is mostly found and withdrawn within days.
LOCK := $(BIN)/uv pip compile --upgrade --exclude-newer '7 days' --generate-hashes --no-header --quiet --python-version 3.11

.PHONY: lock
lock: $(STAMP) ## pin every dependency anew, with hashes, at its newest release that is at least seven days old
	$(LOCK) pyproject.toml --group dev -o requirements/dev.txt
	$(LOCK) pyproject.toml --extra postgresql --extra mcp --constraint requirements/dev.txt -o requirements/base.txt
	$(LOCK) pyproject.toml --extra export --group encoders \
		--constraint requirements/dev.txt --excludes requirements/no-gpu.txt --no-emit-package torch -o requirements/encoders.txt
	$(LOCK) --group pyproject.toml:clients -o requirements/clients.txt
	rm -f $(NODE)/package-lock.json && cd $(NODE) && npm install --package-lock-only --ignore-scripts --no-audit --no-fund \
		--before "$$(node -p 'new Date(Date.now() - 7 * 24 * 3600e3).toISOString()')"
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
		| $(LOCK) --no-annotate --constraint requirements/dev.txt - -o requirements/build.txt

.PHONY: clean
clean: ## remove the environments and caches
	rm -rf $(VENV) $(APPS) $(NODE)/node_modules .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
