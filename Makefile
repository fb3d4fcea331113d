PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
PYTHONS ?= 3.11 3.12 3.13

.PHONY: demo test test-slow test-matrix notebooks docs lint clean

# Box Trapped without and with pay for influence, and a small Cleanup, in some minutes; see demo/ afterwards.
demo: $(VENV)/installed
	rm -rf demo
	$(BIN)/influence-jax demo

test: $(VENV)/installed
	$(BIN)/python -m pytest -n 2 --no-loadscope-reorder

# Learning runs, notebooks, other packages beside ours, and large variants of quick checks.
test-slow: $(VENV)/installed
	$(BIN)/python -m pytest -m slow

# Every Python that the package claims, each with the newest jax it can have and an environment of its own.
test-matrix:
	set -e; for version in $(PYTHONS); do $(MAKE) test PYTHON=python$$version VENV=.venv-$$version; done

# Run the notebooks anew, as written in notebooks/*.py, and keep what they show.
notebooks: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[notebooks]"
	$(BIN)/python -m ipykernel install --sys-prefix >/dev/null  # by its full path, by which jupytext looks for it
	$(BIN)/jupytext --set-formats ipynb,py:percent --to ipynb --execute notebooks/*.py

# The documentation as pages for a browser, in build/site. A dead link or a name that is missing is an error.
docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs]"
	$(BIN)/mkdocs build --strict

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -m slow tests/test_typing.py  # basedpyright, over the programs of the documentation, too

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]"
	touch $@

clean:
	rm -rf .venv .venv-* demo
