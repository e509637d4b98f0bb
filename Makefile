# Needs python3 (3.11 or newer) and GNU make; everything else is put into .venv by the first target
# that wants it. ARGS is handed on: make test ARGS="--only sqlite -k signature"

PYTHON3 ?= python3
ARGS ?=

VENV := .venv
PYTHON := $(VENV)/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# What is in the virtual environment, each newer than the pyproject.toml it was made from.
PIP := $(VENV)/pip.stamp
PACKAGE := $(VENV)/package.stamp
DEV := $(VENV)/dev.stamp

CHECKS := check-lint check-format check-types check-imports check-django check-migrations \
	check-openapi check-docs

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help venv demo test coverage test-hard screenshots bench bench-scale check $(CHECKS) nox format messages openapi docs build release-check clean

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

venv: $(DEV) ## Make .venv with everything that the other targets use.

demo: $(PACKAGE) ## Run the example project with SuperOffice played against it.
	$(PYTHON) manage.py demo $(ARGS)

test: $(DEV) ## Run the fast tests on SQLite, PostgreSQL and, if TEST_MARIADB_URL is set, MariaDB.
	$(PYTHON) -m tests.suite $(ARGS)

# A part that hangs ends with a failure. A quiet machine needs a fifth of these minutes.
test-hard: $(DEV) ## Run the others: processes, tables and browsers once, kills and races everywhere.
	$(PYTHON) -m tests.suite --slow --hard --minutes 55 $(ARGS)

screenshots: $(DEV) ## Take the pictures of docs/admin.md anew, with the Chromium in TEST_BROWSER.
	TEST_SCREENSHOTS=docs/images $(PYTHON) -m tests.suite --only sqlite --slow \
		tests/browser/test_screenshots.py $(ARGS)

bench: $(DEV) ## Measure speed on SQLite and PostgreSQL, and write benchmarks/RESULTS.md.
	$(PYTHON) -m benchmarks $(ARGS)

bench-scale: $(DEV) ## The same with two million events, on PostgreSQL.
	$(PYTHON) -m benchmarks --scale $(ARGS)

coverage: $(DEV) ## Run the fast tests on SQLite, and measure what they cover.
	$(PYTHON) -m tests.suite --only sqlite --measured $(ARGS)

check: $(DEV) ## Check style, types, imports, migrations and documentation.
	@$(MAKE) --no-print-directory --keep-going $(CHECKS)

check-lint: $(DEV)
	$(PYTHON) -m ruff check

check-format: $(DEV)
	$(PYTHON) -m ruff format --check

check-types: $(DEV)
	$(PYTHON) -m mypy

check-imports: $(DEV)
	$(VENV)/bin/lint-imports

check-django: $(DEV)
	$(PYTHON) -m django check --settings tests.settings --fail-level WARNING

check-migrations: $(DEV)
	$(PYTHON) -m django makemigrations --settings tests.settings --check --dry-run

check-openapi: $(DEV)
	$(PYTHON) -m tests.openapi --check

check-docs: $(DEV)
	$(PYTHON) -m sphinx --quiet --fail-on-warning --keep-going --builder dummy docs dist/docs-checked

nox: $(DEV) ## Run the fast tests on every supported Django and every Python found.
	$(PYTHON) -m nox $(ARGS)

format: $(DEV) ## Format the code and mend what ruff can mend.
	$(PYTHON) -m ruff check --fix
	$(PYTHON) -m ruff format

messages: $(DEV) ## Bring the translations up to date, and compile them.
	$(PYTHON) -m tests.messages

openapi: $(DEV) ## Ask the API for its examples anew, and write docs/openapi.yaml.
	TEST_EXAMPLES=1 $(PYTHON) -m pytest --quiet tests/api/test_examples.py
	$(PYTHON) -m tests.openapi

build: $(DEV) ## Build the source distribution and the wheel into dist/.
	$(PYTHON) -m build --no-isolation
	$(PYTHON) -m twine check --strict dist/*.whl dist/*.tar.gz
	$(VENV)/bin/check-wheel-contents dist/*.whl

docs: $(DEV) ## Build the site of the documentation into dist/docs.
	$(PYTHON) -m sphinx --quiet --fail-on-warning --keep-going docs dist/docs

release-check: $(DEV) ## Compare a tag with the version and the changelog: ARGS=v0.2.0
	$(PYTHON) -m tests.release $(ARGS)

clean: ## Remove everything that was made here, .venv included.
	rm -rf $(VENV) .nox .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -rf dist .coverage* *.sqlite3*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip learnt about dependency groups in 25.1; the one that comes with Python is often older.
$(PIP):
	$(PYTHON3) -m venv --clear $(VENV)
	$(PYTHON) -m pip install --quiet --upgrade "pip>=25.1"
	@touch $@

$(PACKAGE): $(PIP) pyproject.toml
	$(PYTHON) -m pip install --quiet --editable ".[api,superoffice]"
	@touch $@

$(DEV): $(PIP) pyproject.toml
	$(PYTHON) -m pip install --quiet --editable ".[api]" --group dev
	@touch $(PACKAGE) $@
