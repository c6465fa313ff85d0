# The first target on a fresh clone builds .venv from the locks; nothing but Python 3.11 to 3.13 and make is needed.
# A build that was cut short is built again.  The logic stands in suite/bootstrap.py.

PYTHON   ?= python3
VENV     ?= .venv
TIER     ?= cpu
SEEDS    ?=
EXECUTOR ?=
ONLY     ?=
TASK     ?=
CUDA     ?=
UPGRADE  ?=
UV       ?= $(if $(wildcard $(VENV)/bin/uv),$(VENV)/bin/uv,uv)

BIN       = $(VENV)/bin
SUITE     = $(BIN)/python -m suite
OPTIONS   = --tier "$(TIER)" $(if $(SEEDS),--seeds "$(SEEDS)") $(if $(ONLY),--only "$(ONLY)")
RUN       = $(SUITE) run $(OPTIONS) $(if $(EXECUTOR),--executor "$(EXECUTOR)")

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules
.PHONY: help venv list reproduce-all report dashboard sync test torture bench lint new lock clean

help: ## this list
	@echo "make <target> [TIER=smoke|cpu|gpu|hub] [SEEDS=n] [ONLY=c1,c4] [EXECUTOR=local|ray]"
	@grep -hE '^[a-z%-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z%-]+):.*## /  \1\t/' | expand -t 18

list: venv ## every task, its claims and its latest verdicts
	@$(SUITE) list

plan-%: venv ## what reproduce-% would run, what it would reuse and why, and the minutes
	@$(SUITE) plan $* $(OPTIONS)

reproduce-%: venv ## run one task, print its claims with their outcomes, write its ledger and its PDF
	@$(RUN) $*

reproduce-all: venv ## run every task, one after the other
	@$(RUN) all

report: venv ## build every PDF and the README's table from results/, without training
	@$(SUITE) report

dashboard: venv ## open the MLflow pages of all runs
	@$(SUITE) dashboard

sync: venv ## bring MLflow up to date with the records
	@$(SUITE) sync

doctor-%: venv ## is this task's page, store and ledger in order?
	@$(SUITE) doctor $*

new: venv ## start a page from the template: make new TASK=some-claim
	@$(if $(TASK),$(SUITE) new "$(TASK)",echo "make: name the page: make new TASK=some-claim" >&2; exit 2)

test: venv ## every test
	@$(BIN)/python -m pytest --numprocesses auto --dist loadgroup

torture: venv ## kill runs, break disks, race for the database and feed it rubbish, for about half an hour
	@$(BIN)/python -m tests.torture

bench: venv ## the benchmarks as ratios within one run: target, measured, limit; kept as JSON in .benchmarks
	@$(BIN)/python -m pytest tests/benchmarks --benchmark-only --benchmark-autosave --benchmark-quiet

lint: venv ## format, rules and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/pyrefly check

venv: ## build or repair .venv (every target does this first)
	@command -v "$(PYTHON)" >/dev/null || { echo "make: there is no $(PYTHON); install Python 3.12 or name one: make PYTHON=..." >&2; exit 2; }
	@"$(PYTHON)" -I suite/bootstrap.py "$(VENV)" --cuda "$(CUDA)"

lock: ## resolve pyproject.toml into requirements.lock (needs uv; UPGRADE=1 takes newer versions)
	@"$(PYTHON)" -m suite.relock --uv "$(UV)" --upgrade "$(UPGRADE)"

clean: ## remove caches and built PDFs; the environment, trials and results stay
	@rm -rf .pytest_cache .ruff_cache .hypothesis .benchmarks build dist *.egg-info reports/*.pdf lightning_logs
	@find suite tasks tests -type d -name __pycache__ -prune -exec rm -rf {} +
