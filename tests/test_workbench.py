"""The workbench script runs, and uses public names only."""

import ast
import pathlib
import runpy

import pytest

import influence_jax

SCRIPT = pathlib.Path(__file__).parents[1] / "experiments" / "workbench.py"


@pytest.mark.slow
def test_it_runs(tmp_path, capsys, tiny_presets):
    runpy.run_path(str(SCRIPT))["main"](tmp_path / "runs", steps=800, seeds=2)
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {"unpaid", "paid", "episode.gif", "comparison.png"}
    text = capsys.readouterr().out
    assert "differences from unpaid" in text and "an unpaid agent 0 meets a paid agent 1: Trace of 100 steps" in text


def test_names_are_public():
    tree = ast.parse(SCRIPT.read_text())
    imported = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = {name for node in imported for name in [getattr(node, "module", None), *(x.name for x in node.names)]}
    assert not any(module and module.startswith("influence_jax.") for module in modules)
    assert all(node.module != "influence_jax" for node in imported if isinstance(node, ast.ImportFrom))
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    used = {node.attr for node in attributes if isinstance(node.value, ast.Name) and node.value.id == "influence_jax"}
    assert used and used <= set(influence_jax.__all__)
    assert not any(node.attr.startswith("_") for node in attributes)
