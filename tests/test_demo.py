"""The demonstration, of a few steps."""

import functools
import io

import pytest
from rich.console import Console

from influence_jax import demo, presets

SHORT = {"total_steps": 400}


@pytest.fixture
def briefly(tiny_presets, monkeypatch):
    """Short games and few of them."""
    monkeypatch.setattr(presets, "get", functools.partial(presets.get, **SHORT))
    for name, value in {"CLEANUP_STEPS": 400, "CLEANUP_EPISODES": 2, "EPISODES": 3}.items():
        monkeypatch.setattr(demo, name, value)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("part", "files", "row"),
    [
        (demo.box_trapped, {"box_trapped.gif"}, "opened, of 3 episodes"),
        (demo.cleanup, {"cleanup.gif", "learning_curves.png"}, "in 2 episodes"),
    ],
)
def test_a_part_leaves_images_and_a_table(briefly, tmp_path, part, files, row):
    text = io.StringIO()
    Console(file=text, width=200).print(part(tmp_path))
    assert row in text.getvalue()
    left = {path.name for path in tmp_path.iterdir() if path.is_file()}
    assert files <= left <= files | {"moment.png"}
