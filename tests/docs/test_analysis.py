"""The examples of docs/analysis.md and of docstrings run as written; every public name is in the text and has an example."""

import doctest
import importlib
import pathlib
import re

import pytest

from influence_jax import analysis
from tests.docs.examples import names

FUNCTIONS = sorted({*analysis.__all__} - {"Comparison", "CrossPlay", "Schelling"})
MODULES = sorted({getattr(analysis, name).__module__ for name in FUNCTIONS})
TEXT = (pathlib.Path(__file__).parents[2] / "docs" / "analysis.md").read_text()


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for program in re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL):
        exec(program, names)
    figures = set(re.findall(r'savefig\("(.*?)"\)', TEXT))
    assert {path.name for path in tmp_path.iterdir()} == figures
    assert "differences from alone" in capsys.readouterr().out


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_is_described(name):
    assert re.search(rf"\b{name}\b", TEXT)
    assert ">>>" in getattr(analysis, name).__doc__ or name == "load_metrics"  # which needs a file


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(importlib.import_module(module), extraglobs=names()).failed == 0
