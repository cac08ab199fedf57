# Everything a developer or a newcomer runs. It needs Python 3.11 to 3.14 with venv, and nothing else:
# the broker and, where none is installed, PostgreSQL come as Python packages.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_DIR ?= .demo

.DEFAULT_GOAL := help
.PHONY: help demo test check bench serve lock clean

help: ## Show what there is to run
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-7s %s\n", $$1, $$2}'

demo: $(VENV)/.runtime ## Find the duplicates among the sample photos
	$(BIN)/python -m cli.demo $(DEMO_DIR)

test: $(VENV)/.dev ## Run the whole test suite: real worker and broker, SQLite and PostgreSQL
	$(BIN)/pytest --numprocesses=auto --maxprocesses=4

check: $(VENV)/.dev ## Lint, types, import contracts, migrations in step with the models
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m migrations.check

bench: $(VENV)/.dev $(DEMO_DIR)/photos ## Run the benchmarks at small sizes
	$(BIN)/python benchmarks/join.py --n 100000 --bits 256 --radius 31
	$(BIN)/python benchmarks/extract.py $(DEMO_DIR)/photos
	$(BIN)/python benchmarks/accuracy.py $(DEMO_DIR)/photos
	$(BIN)/python benchmarks/verify.py $(DEMO_DIR)/photos
	$(BIN)/python benchmarks/service.py

$(DEMO_DIR)/photos: | $(VENV)/.runtime
	$(BIN)/python -m cli.demo $(DEMO_DIR)

serve: $(VENV)/.runtime ## Serve the API on this machine: broker, worker and SQLite in one command
	$(BIN)/lookalike serve

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
		|| { echo "Lookalike needs Python 3.11 to 3.14; say which with: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "Python's venv module is missing; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@touch $@

$(VENV)/.runtime: $(VENV)/.python requirements/runtime.txt pyproject.toml
	$(BIN)/pip install --quiet --require-hashes -r requirements/runtime.txt
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@echo "Compiling the engine, half a minute, once …"
	@$(BIN)/python -m lookalike.warming
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements/dev.txt requirements/sdk.txt
	$(BIN)/pip install --quiet --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --require-hashes --no-deps -r requirements/sdk.txt
	@touch $@

lock: ## Pin the newest versions that pyproject.toml allows (needs uv)
	uv pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes \
		--no-annotate --no-header --quiet --output-file requirements/runtime.txt
	uv pip compile pyproject.toml --group build --group dev --universal --python-version 3.11 --generate-hashes \
		--no-annotate --no-header --quiet --constraints requirements/runtime.txt --output-file requirements/dev.txt

clean: ## Remove the virtual environment and the demo's files
	rm -rf $(VENV) $(DEMO_DIR)
