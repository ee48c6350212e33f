# Two commands serve a fresh machine: `make demo` and `make test`. Both set up what they need in .venv.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --editable
# What running simaie needs, and what developing it needs.
RUNTIME := $(VENV)/.runtime
READY := $(VENV)/.ready
# Coverage is measured where it costs little: it triples the time of searches, which cover the same lines. So tests in
# other folders that search for seconds are marked untraced. The longest files come first, and each runs in one worker,
# so that its fixtures are made once.
SEARCHES := tests/notebooks tests/packaging tests/exhaustive tests/docs tests/quality tests/browser tests/kept \
	tests/golden tests/prose
COVERED := $(filter-out $(SEARCHES) tests/benchmarks,$(patsubst %/,%,$(wildcard tests/*/)))

PYTEST := $(BIN)/python -m pytest -n 2

# Without compiled files, each of the hundreds of processes that tests start compiles all modules again: a second each.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test coverage searches oldest lint types layers wheel benchmark soak mutation notebooks docs pictures clean

demo: $(RUNTIME)
	$(BIN)/simaie audit

test: $(BIN)/python
	$(MAKE) --no-print-directory --jobs=2 --output-sync=target oldest $(READY) lint types layers
	$(PYTEST) --cov --cov-report= $(COVERED)
	$(MAKE) --no-print-directory --jobs=2 coverage searches

coverage:
	$(BIN)/python -m coverage report --ignore-errors --fail-under=92

searches:
	$(PYTEST) --dist loadfile --no-loadscope-reorder $(SEARCHES)

# It makes environments of its own, while what development needs is installed.
oldest: $(BIN)/python
	$(BIN)/python .ci/oldest

lint: $(READY)
	$(BIN)/ruff check simaie schedulers pytest_simaie simaie_command tests docs .ci/oldest
	$(BIN)/codespell

types: $(READY)
	$(BIN)/mypy

layers: $(READY)
	$(BIN)/lint-imports

# With modules that mypyc compiles (see setup.py). It needs a C compiler; other builds are pure Python.
wheel: $(READY)
	SIMAIE_COMPILE=1 $(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

benchmark: $(READY)
	-$(INSTALL) '.[benchmark,jupyter]'
	$(BIN)/python -m pytest -m benchmark tests/benchmarks tests/browser -s

soak: $(READY)
	$(BIN)/python -m pytest -n 2 -m soak tests

mutation: $(READY)
	$(INSTALL) '.[mutation]'
	$(BIN)/python -m pytest -m mutation tests/mutation -s

notebooks: $(READY)
	$(INSTALL) '.[notebook,jupyter,binary]'
	$(BIN)/jupyter lab notebooks

docs: $(READY)
	$(INSTALL) '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "build/site/index.html"

# What docs/assets holds: drawn by simaie itself.
pictures: $(RUNTIME)
	$(BIN)/python docs/_tools/pictures.py

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .coverage*

$(BIN)/python:
	@echo "setting up $(VENV)"
	$(PYTHON) -m venv $(VENV)

$(RUNTIME): pyproject.toml | $(BIN)/python
	$(INSTALL) .
	touch $@

# All at once, for pip looks up and builds again what it is asked a second time. What cannot be had everywhere is left out
# where it can't be: its tests are skipped, and say so.
$(READY): pyproject.toml | $(BIN)/python
	$(INSTALL) '.[test,dev,notebook,browser,jupyter,docs]' || $(INSTALL) '.[test,dev,notebook]'
	touch $@
