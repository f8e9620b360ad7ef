# Everything here works on a machine with Python 3.11 or later, make and a network; what else is
# needed is installed into .venv by the first target that needs it.

PYTHON ?= python3
VENV ?= .venv
FUZZ_SECONDS ?= 60
CHECK_ROUNDS ?= 20
CHECK_SEED ?= 1

PY := $(VENV)/bin/python
FUZZ_TARGETS = $(filter-out __init__ _%,$(patsubst fuzz/%.py,%,$(wildcard fuzz/*.py)))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: venv
venv: $(VENV)/.installed-dev ## Make .venv with everything a developer needs

.PHONY: demo
demo: $(VENV)/.installed-server ## Start a server with a page to chat on, people and a robot
	@$(VENV)/bin/improto demo

.PHONY: demo-reset
demo-reset: ## Forget what the demo has kept: the next one begins anew
	@rm -rf .demo

.PHONY: test
test: $(VENV)/.installed-test ## Run all tests
	@$(PY) -m pytest -n auto --maxprocesses=4 --dist worksteal

.PHONY: interop
interop: $(VENV)/.installed-test ## Run only the tests against independent clients
	@$(PY) -m pytest tests/interop tests/api_sdks -m interop -n 2

.PHONY: page
page: $(VENV)/.installed-test ## Run only the tests of the web page, in Chromium
	@$(PY) -m pytest tests/web -n 2

.PHONY: sdks
sdks: $(VENV)/.installed-test ## Let the official server SDKs drive the REST API
	@$(PY) -m pytest tests/api_sdks

.PHONY: schema
schema: $(VENV)/.installed-test ## Let Schemathesis make requests of the REST API
	@$(PY) -m pytest -m schema

.PHONY: matrix
matrix: $(VENV)/.installed-test ## Run clients of ours on each loop, transport and host
	@$(PY) -m pytest tests/matrix -m matrix

.PHONY: models
models: $(VENV)/.installed-test ## Compare the server with small models, step by step
	@$(PY) -m pytest tests/server/test_*_model.py

.PHONY: coverage
coverage: $(VENV)/.installed-dev ## Check that each core module is covered by its own tests
	@$(PY) -m tools.core_coverage

.PHONY: lint
lint: $(VENV)/.installed-dev ## Check style, types and architecture
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports --no-logo

.PHONY: security
security: $(VENV)/.installed-dev ## Look for known mistakes, and run the tests of what is promised
	@$(PY) -m ruff check src
	@$(PY) -m pytest tests/security tests/accounts/test_safety.py

.PHONY: audit
audit: $(VENV)/.installed-audit ## Ask PyPI whether vulnerabilities of what is installed are known
	@$(PY) -m tools.audit

.PHONY: format
format: $(VENV)/.installed-dev ## Repair what can be repaired without thinking
	@$(PY) -m ruff check --fix-only --quiet .
	@$(PY) -m ruff format .

.PHONY: docs
docs: $(VENV)/.installed-docs ## Build the manual as a site, warnings as errors, and say where
	@$(PY) -m sphinx -E -W --keep-going -q -d build/doctrees docs build/docs
	@echo build/docs/index.html

.PHONY: bench
bench: $(VENV)/.installed-dev ## Measure the core and the server
	@$(PY) -m bench

.PHONY: fuzz
fuzz: $(VENV)/.installed-fuzz ## Run each fuzz target for FUZZ_SECONDS (60)
	@set -e; for target in $(FUZZ_TARGETS); do \
		echo "fuzz $$target for $(FUZZ_SECONDS) s"; \
		mkdir -p fuzz/corpus/$$target; \
		$(PY) -m fuzz.$$target -max_total_time=$(FUZZ_SECONDS) fuzz/corpus/$$target; \
	done

.PHONY: check-history
check-history: $(VENV)/.installed-test ## Break a server for CHECK_ROUNDS (20) rounds and check what clients saw
	@$(PY) -m tests.checker --rounds $(CHECK_ROUNDS) --seed $(CHECK_SEED)

.PHONY: proto
proto: $(VENV)/.installed-dev ## Generate the protobuf module, its stubs and the tables of improto.js again
	@$(PY) -m tools.make_proto
	@$(PY) -m tools.make_js_payloads

.PHONY: clean
clean: ## Remove everything made here: .venv, .demo, npm packages, the fuzz corpus, caches
	@rm -rf $(VENV) .demo build dist htmlcov .coverage .coverage.* fuzz/corpus \
		.hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache \
		tests/interop/sdks/*/node_modules tests/web/node/node_modules
	@find src tests tools fuzz bench examples -name __pycache__ -prune -exec rm -rf {} + \
		2>/dev/null || true

# One file per set of extras says that it is installed, and is as old as the installation.
$(VENV)/.installed-%: pyproject.toml | $(PY)
	@echo "installing improto[$*] into $(VENV)"
	@$(PY) -m pip install -qq --disable-pip-version-check --editable '.[$*]'
	@touch $@

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$(PYTHON) is older than Python 3.11; choose another: make PYTHON=python3.12" >&2; \
		exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		rm -rf $(VENV); \
		echo "$(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; \
		exit 1; }
