# One command each. `make` alone lists them.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PY ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
WORKERS ?= 2
# Many tests wait for real processes, so more of them than cores may be under way.
TEST_WORKERS ?= 4

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
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist worksteal -q

.PHONY: coverage
coverage: $(VENV)/.development ## Run every test and hold the safety rooms to 95 % of branches
	rm -f .coverage .coverage.*
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist worksteal -q --cov --cov-report=
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

.PHONY: storm
storm: $(VENV)/.development ## Try to break SAFE with 2,000 seeds (a minute or three)
	$(BIN)/python -m tests.storm.campaign --seeds 0..2000 --workers $(WORKERS)

.PHONY: storm-night
storm-night: $(VENV)/.development ## The same with 50,000 seeds of today, and every ablation
	day=$$(date +%Y%m%d) && $(BIN)/python -m tests.storm.campaign \
	  --seeds $${day}00000..$${day}50000 --workers $(WORKERS)
	$(BIN)/python -m tests.storm.ablations --workers $(WORKERS)

.PHONY: storm-campaign
storm-campaign: $(VENV)/.development ## 100,000 seeds, taken up again where it stopped, and its figures
	mkdir -p .storm
	$(BIN)/python -m tests.storm.campaign --seeds 0..100000 --workers $(WORKERS) --resume \
	  --out .storm/blocks.jsonl --to tests/storm/results/campaign.json
	$(BIN)/python -m tests.storm.ablations --workers $(WORKERS) \
	  --out tests/storm/results/ablations.json

.PHONY: clean
clean: ## Remove everything that these commands made
	rm -rf $(VENV) .storm .mypy_cache .ruff_cache .pytest_cache .coverage .coverage.* .import_linter_cache
