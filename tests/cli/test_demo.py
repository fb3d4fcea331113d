"""``influence-jax demo``."""

import pytest
from rich.table import Table

from influence_jax import demo
from influence_jax.cli import main
from tests.cli.commands import assert_refused, refusal


def test_demo(tmp_path, monkeypatch, capsys):
    def part(title, name):
        def show(out):
            (out / "run").mkdir(parents=True, exist_ok=True)
            (out / name).touch()
            return Table("column", title=title)

        return show

    monkeypatch.setattr(demo, "box_trapped", part("the first", "b.gif"))
    monkeypatch.setattr(demo, "cleanup", part("the second", "a.png"))
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    shown = capsys.readouterr().out
    assert shown.index("the first") < shown.index("the second") < shown.index("Look at demo/a.png, demo/b.gif.")
    assert refusal(capsys, "demo").endswith("out is 'demo', which exists; allowed: a new directory.")


@pytest.mark.parametrize(
    ("arguments", "sentence"), [("demo --steps 1", "--steps is not an option"), ("demo --out https://x", "a URL")]
)
def test_refusals(capsys, tmp_path, monkeypatch, arguments, sentence):
    assert_refused(capsys, tmp_path, monkeypatch, arguments, sentence)
