"""The scripts in experiments/ run at their smallest scale."""

import importlib.util
import json
import pathlib

import pytest

EXPERIMENTS = pathlib.Path(__file__).parents[1] / "experiments"


def driver(name):
    """Import a script, which is not part of a package."""
    spec = importlib.util.spec_from_file_location(name, EXPERIMENTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_tiny_cleanup_trains_tests_and_draws(tmp_path):
    """Three of its conditions; conditions that are added later stand beside those that are there."""
    tiny = driver("tiny_cleanup")
    tiny.main(("real", "unpaid"), scale="smoke", out=tmp_path)
    tiny.main(("shuffled",), scale="smoke", out=tmp_path)
    results = tmp_path / "tiny_cleanup"
    table, rows = (json.loads((results / name).read_text()) for name in ("seeds.json", "tests.json"))
    assert list(table) == ["unpaid", "real", "shuffled"]
    assert all(len(columns["collective_return"]) == 4 for columns in table.values())
    assert [row["against"] for row in rows] == ["unpaid", "shuffled"] and all(row["p_holm"] >= row["p"] for row in rows)
    assert (results / "figure.png").stat().st_size > 1000
