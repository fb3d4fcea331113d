"""The notebooks run, and match their scripts, run from top to bottom without an error."""

import json
import operator
import pathlib
import re
import sys
import types

import matplotlib
import pytest

NOTEBOOKS = sorted((pathlib.Path(__file__).parents[1] / "notebooks").glob("*.py"))
LONG = ("a_sweep_with_figures", "first_agents", "real_and_modelled_influence", "your_own")
stem = operator.attrgetter("stem")


def cells_of(script):
    """Yield ``(kind, text)`` of each cell of a script in jupytext's percent format."""
    for kind, body in re.findall(r"^# %%( \[markdown\])?\n(.*?)(?=^# %%|\Z)", script, flags=re.MULTILINE | re.DOTALL):
        text = re.sub(r"^# ?", "", body, flags=re.MULTILINE) if kind else body
        yield "markdown" if kind else "code", text.strip()


def shortened(script):
    """Return a script that trains for a few updates only."""
    short = re.sub(r"^STEPS = [\d_]+$", "STEPS = 400", script, flags=re.MULTILINE)
    assert (short != script) == bool(re.search(r"influence_jax\.(train|sweep)\(", script))
    return short


@pytest.mark.parametrize(
    "path", [pytest.param(path, marks=[pytest.mark.slow] if path.stem in LONG else []) for path in NOTEBOOKS], ids=stem
)
def test_it_runs(path, tmp_path, monkeypatch, tiny_presets):
    monkeypatch.chdir(tmp_path)
    matplotlib.use("agg")
    notebook = types.ModuleType("__main__")  # which is what a notebook is, for settings that name its code
    monkeypatch.setitem(sys.modules, "__main__", notebook)
    exec(compile(shortened(path.read_text()), path.name, "exec"), vars(notebook))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=stem)
def test_what_is_kept_is_the_script(path):
    kept = json.loads(path.with_suffix(".ipynb").read_text())["cells"]
    assert [(cell["cell_type"], "".join(cell["source"]).strip()) for cell in kept] == list(cells_of(path.read_text()))
    code = [cell for cell in kept if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output["output_type"] for cell in code for output in cell["outputs"]]
    assert outputs and "error" not in outputs


def test_every_notebook_has_a_script():
    folder = NOTEBOOKS[0].parent
    assert {path.stem for path in folder.glob("*.ipynb")} == {path.stem for path in NOTEBOOKS}
