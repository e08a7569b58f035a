# Everything a person or CI does with this repository. `make` alone lists the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	"$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo "$$name" && break; done)
TEST_WORKERS ?= 2
ARGS ?=

.PHONY: help setup run demo test gates check fmt lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  ARGS=... is handed to the command, e.g. make test ARGS='-k outbox'"

setup: ## Virtual environment, locked dependencies, a browser (nothing to do when done)
	@wanted="$$(cat requirements-dev.lock pyproject.toml | cksum)"; \
	if [ "$$(cat $(STAMP) 2>/dev/null)" = "$$wanted" ] && [ -x $(BIN)/python ]; then exit 0; fi; \
	$(MAKE) --no-print-directory install-environment && echo "$$wanted" > $(STAMP)

# Compiled by all cores at once, which pip does not; a package may hold files of another Python, which are no error.
# PYTHONDONTWRITEBYTECODE, common in images, would make every later start several seconds slower.
.PHONY: install-environment
install-environment:
	@if [ -z "$(PYTHON)" ]; then \
		echo "error: Python 3.11, 3.12 or 3.13 is needed, found: $$(python3 --version 2>&1)." >&2; \
		echo "       Install one, or name it: make setup PYTHON=/path/to/python3.11" >&2; exit 2; fi
	@if ! $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null; then \
		echo "error: $(PYTHON) lacks venv or ensurepip; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; fi
	@if ! $(BIN)/python -c 'import pip' 2>/dev/null; then \
		echo "==> virtual environment in $(VENV) ($$($(PYTHON) --version))"; \
		rm -rf $(VENV) && $(PYTHON) -m venv $(VENV); fi
	@echo "==> $$(grep -c '^[a-z0-9].*==' requirements-dev.lock) locked packages (about a minute)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile \
		--no-deps --require-hashes -r requirements-dev.lock
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m compileall -q -j 0 $(VENV)/lib >/dev/null || true
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@echo "==> browser"
	@$(BIN)/leasebot browser install

run: setup ## The whole pipeline with five local rental sites; Ctrl-C stops it
	@exec $(BIN)/leasebot up --sandbox $(ARGS)

demo: setup ## Play scripted leads over the five sites until idle and check every invariant
	@$(BIN)/leasebot demo $(ARGS)

test: setup ## All tests
	@$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile -q --durations=10 $(ARGS)

gates: setup ## The suites that block a release, with evidence below docs/qa/evidence
	@$(BIN)/leasebot gates $(ARGS)

check: setup ## Lint, formatting, types and import contracts
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

fmt: setup ## Format the code and fix what can be fixed
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: ## Resolve the dependencies again (needs uv; ARGS=--upgrade takes newer versions)
	@command -v uv >/dev/null || { echo "error: uv is needed: https://docs.astral.sh/uv/" >&2; exit 2; }
	uv pip compile --quiet --universal --no-strip-extras --generate-hashes --no-header --python-version 3.11 --extra dev $(ARGS) \
		pyproject.toml -o requirements-dev.lock
	uv pip compile --quiet --universal --no-strip-extras --generate-hashes --no-header --python-version 3.11 -c requirements-dev.lock \
		pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --no-strip-extras --generate-hashes --no-header --python-version 3.11 -c requirements-dev.lock \
		--extra kubernetes pyproject.toml -o requirements-kubernetes.lock

clean: ## Remove the virtual environment and caches; data below var/ stays
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './var/*' -prune -exec rm -rf {} +
