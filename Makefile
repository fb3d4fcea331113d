PYTHON ?= python3
BIN = .venv/bin

.PHONY: demo test test-slow lint clean

# Train five agents on Harvest for some minutes; see demo/ afterwards.
demo: .venv/installed
	$(BIN)/python experiments/demo.py

test: .venv/installed
	$(BIN)/python -m pytest -n 2 --dist loadfile

# Learning runs of minutes.
test-slow: .venv/installed
	$(BIN)/python -m pytest -m slow

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[test]"
	touch $@

clean:
	rm -rf .venv demo
