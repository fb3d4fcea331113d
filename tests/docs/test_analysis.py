"""The examples of docs/analysis.md, run as they stand, and every public name is in them."""

import pathlib
import re

import pytest

from influence_jax import analysis

TEXT = (pathlib.Path(__file__).parents[2] / "docs" / "analysis.md").read_text()


def test_the_examples_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    for program in re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.MULTILINE | re.DOTALL):
        exec(program, names)
    figures = set(re.findall(r'savefig\("(.*?)"\)', TEXT))
    assert {path.name for path in tmp_path.iterdir()} == figures
    assert "differences from alone" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted({*analysis.__all__} - {"Comparison", "Schelling"}))
def test_every_function_is_described(name):
    assert re.search(rf"\b{name}\b", TEXT)
