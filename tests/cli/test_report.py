"""``influence-jax report``."""

import pytest

from influence_jax.cli import main
from tests.cli.commands import assert_refused


def test_report(run_directory, tmp_path, capsys):
    path = tmp_path / "report.html"
    assert main(["report", str(run_directory), "--out", str(path), "--by", "seed"]) == 0
    assert capsys.readouterr().out == f"{path}\n" and path.read_text().count("<img") == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("report x --out x.pdf", "out is 'x.pdf'; allowed: files that end in .html."),
        ("report x --out x.html", "runs has 'x', which holds no run and no sweep"),
    ],
)
def test_refusals(capsys, tmp_path, monkeypatch, arguments, sentence):
    assert_refused(capsys, tmp_path, monkeypatch, arguments, sentence)
