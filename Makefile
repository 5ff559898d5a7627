# The one set-up of this project: a virtual environment, made anew when its requirements change.
PYTHON ?= python3
DATA ?= ./data
PORT ?= 8080
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test check lint clean

run: $(VENV)/run.stamp
	@$(BIN)/davserver init --if-empty --template commune --data "$(DATA)"
	@$(BIN)/davserver serve --data "$(DATA)" --host 127.0.0.1 --port $(PORT)

test: $(VENV)/test.stamp
	$(BIN)/python -m pytest -n auto --dist loadfile

check: lint test

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "davserver needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: $(VENV)/bin/python setup.cfg pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/test.stamp: $(VENV)/bin/python setup.cfg pyproject.toml
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ $(VENV)/run.stamp

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
