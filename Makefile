# One command each. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PY ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2

.PHONY: help
help: ## Show what can be done here
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

.PHONY: python-ready
python-ready:
	@PY="$(PY)" sh scripts/python-ready.sh

$(VENV)/.runtime: requirements/runtime.txt pyproject.toml | python-ready
	test -x $(BIN)/python || $(PY) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	echo "$(CURDIR)/src" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/resyncctl-checkout.pth"
	printf '#!/bin/sh\nexec "%s/python" -m resyncctl "$$@"\n' "$(CURDIR)/$(BIN)" > $(BIN)/resyncctl && chmod +x $(BIN)/resyncctl
	touch $@

$(VENV)/.development: requirements/development.txt $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/development.txt
	touch $@

.PHONY: install
install: $(VENV)/.runtime ## Make .venv with the pinned runtime

.PHONY: demo
demo: $(VENV)/.runtime ## Watch the main job on the embedded practice exchange
	$(BIN)/python -m resyncctl demo

.PHONY: test
test: $(VENV)/.development ## Run every test
	$(BIN)/python -m pytest -n $(WORKERS) -q

.PHONY: coverage
coverage: $(VENV)/.development ## Run every test and hold the safety rooms to 95 % of branches
	rm -f .coverage .coverage.*
	$(BIN)/python -m pytest -n $(WORKERS) -q --cov --cov-report=
	$(BIN)/python -m coverage report --include='*/core/*,*/ports/*,*/procedures/*' --fail-under=95 --skip-covered --show-missing

.PHONY: lint
lint: $(VENV)/.development ## Formatting, lint, types and import contracts
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: check
check: lint test ## Everything that must be green before a commit lands

.PHONY: format
format: $(VENV)/.development ## Format the code
	$(BIN)/ruff format src tests benchmarks
	$(BIN)/ruff check --fix-only -q src tests benchmarks

.PHONY: bench
bench: $(VENV)/.development ## Measure against named alternatives and print ratios
	$(BIN)/python -m benchmarks.run

.PHONY: evidence
evidence: $(VENV)/.development ## Write docs/safety-evidence.md from the committed results
	$(BIN)/python -m tests.evidence.report

.PHONY: mutation
mutation: $(VENV)/.development ## Change the safety core in small ways and see that tests notice
	nice $(BIN)/python -m tests.mutation.hunt

.PHONY: process-tier
process-tier: $(VENV)/.development ## Kill real processes at every effect; takes a while
	RESYNCCTL_PROCESS_TIER=1 $(BIN)/python -m pytest -q tests/process

.PHONY: clean
clean: ## Remove everything that these commands made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .coverage .coverage.* .import_linter_cache
