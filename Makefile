# The two commands of the README are `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := constraints.txt
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := raytui tests benchmarks

.PHONY: demo test test-apart test-hosts test-real test-kubernetes test-kubernetes-api test-kubernetes-real test-fast check format bench screenshots constraints clean

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("raytui needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed-demo: pyproject.toml $(CONSTRAINTS) | $(VENV)/bin/python
	$(PIP) install -q -c $(CONSTRAINTS) -e '.[ray]'
	touch $@

$(VENV)/.installed-dev: pyproject.toml $(CONSTRAINTS) | $(VENV)/bin/python
	$(PIP) install -q -c $(CONSTRAINTS) -e '.[ray,dev]'
	touch $@

demo: $(VENV)/.installed-demo  ## start the demo: a real Ray cluster on this machine
	$(BIN)/raytui demo

test: test-apart test-hosts test-real test-kubernetes  ## run all tests

test-apart: $(VENV)/.installed-dev  ## those that may run side by side
	$(BIN)/pytest -n 2 -m 'not ray and not tmux and not ssh and not kubernetes'

test-hosts: $(VENV)/.installed-dev  ## real hosts without Ray: they mostly wait, so side by side
	$(BIN)/pytest -n 4 --dist loadfile -m 'ssh and not ray and not tmux'

test-real: $(VENV)/.installed-dev  ## real Ray, a real terminal: one after the other
	$(BIN)/pytest -m '(ray or tmux) and not kubernetes'

test-kubernetes: test-kubernetes-api test-kubernetes-real  ## a real API server; docs/kubernetes.md says where it comes from

test-kubernetes-api: $(VENV)/.installed-dev  ## an API server for each of two files at a time
	$(BIN)/pytest -n 2 --dist loadfile -m 'kubernetes and not ray and not tmux'

test-kubernetes-real: $(VENV)/.installed-dev  ## with Ray in pods, or in a terminal: one after the other
	$(BIN)/pytest -m 'kubernetes and (ray or tmux)'

test-fast: $(VENV)/.installed-dev  ## run the tests that need no real cluster (under 90 s)
	$(BIN)/pytest -n 2 -m 'not ray and not tmux and not ssh and not kubernetes and not slow'

check: $(VENV)/.installed-dev  ## format, lint, types, and the import contract
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/mypy --explicit-package-bases benchmarks/*.py
	$(BIN)/lint-imports

format: $(VENV)/.installed-dev
	$(BIN)/ruff format $(SOURCES)
	$(BIN)/ruff check --fix $(SOURCES)

bench: $(VENV)/.installed-dev  ## run all benchmarks and write docs/benchmarks.md
	$(BIN)/python benchmarks/run_all.py

screenshots: $(VENV)/.installed-dev  ## make docs/screenshots/ anew
	PYTHONHASHSEED=0 $(BIN)/python docs/make_screenshots.py

constraints:  ## pin the newest versions that fit pyproject.toml
	rm -rf $(VENV)-pins
	$(PYTHON) -m venv $(VENV)-pins
	$(VENV)-pins/bin/python -m pip install -q -e '.[ray,dev]'
	(echo '# What raytui is tested with; makes installs repeatable. Written by: make constraints'; \
	  $(VENV)-pins/bin/python -m pip freeze --exclude-editable) > $(CONSTRAINTS)
	rm -rf $(VENV)-pins

clean:
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache
