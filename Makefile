# Everything runs from .venv in the repository root; `make setup` makes it, the other targets call it first.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
OUT ?= demo-out

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format docs dashboards bench samples lock clean

help: ## show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.ready ## make .venv with the locked versions

$(VENV)/.ready: pyproject.toml requirements.lock tools/setup.sh
	@PYTHON="$(PYTHON)" sh tools/setup.sh

demo: setup ## reconcile the real sample data and write an HTML report
	@$(VENV)/bin/tieout demo --out $(OUT)

test: setup ## run every test, those of two files at a time
	@$(PY) -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

check: setup ## everything short of the tests: lint, format, types, import direction, docs, dashboards and lock in step
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(PY) -m checks.import_direction
	@$(PY) -m checks.lock_in_step
	@$(PY) -m checks.docs_in_step
	@$(PY) -m checks.dashboards_in_step

format: setup ## let ruff fix and format
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

docs: setup ## regenerate docs/reference from the code
	@$(PY) -m checks.docs_in_step --write

dashboards: setup ## regenerate the dashboards of Grafana (RUNBOOKS=URL of docs/runbooks, INTO=folder for your own)
	@$(PY) -m ops.grafana.dashboards $(INTO) --runbooks $(or $(RUNBOOKS),docs/runbooks)

bench: setup ## measure side by side with the peers (BENCH="--rows 1000000" and the like narrows it)
	@$(PY) -m bench.exact_key $(BENCH)

samples: setup ## rebuild src/tieout/sample from the originals (FROM=directory)
	@$(PY) -m tools.make_samples $(FROM)

lock: setup ## resolve pyproject.toml anew into requirements.lock
	@$(PY) -m uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate \
		--no-emit-index-url --no-emit-find-links --group dev pyproject.toml -o requirements.lock

clean: ## remove .venv, caches and the demo's output
	@rm -rf $(VENV) $(OUT) bench/.data bench/.venvs .mypy_cache .ruff_cache .pytest_cache .hypothesis
