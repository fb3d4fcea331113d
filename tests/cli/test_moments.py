"""``influence-jax moments``."""

import pytest
from PIL import Image

from influence_jax.cli import main
from influence_jax.cli.moments import stacked
from tests.cli.commands import assert_refused


def test_moments(run_directory, tmp_path, capsys):
    path = tmp_path / "moments.png"
    assert main(["moments", str(run_directory), "--out", str(path), "--count", "2"]) == 0
    *moments, last = capsys.readouterr().out.splitlines()
    assert len(moments) == 2 and all("'s influence on agent" in moment for moment in moments) and last == str(path)
    one = tmp_path / "one.png"
    assert main(["moments", str(run_directory), "--out", str(one), "--count", "1"]) == 0
    with Image.open(path) as two, Image.open(one) as first:
        assert two.height == 2 * first.height


def test_images_of_any_widths_stand_below_each_other():
    whole = stacked([Image.new("RGB", (3, 2), "red"), Image.new("RGB", (5, 4), "blue")])
    assert whole.size == (5, 6)
    assert [whole.getpixel(place) for place in ((2, 1), (4, 1), (4, 5))] == [(255, 0, 0), (255, 255, 255), (0, 0, 255)]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("moments x --out x.gif", "out is 'x.gif'; allowed: files that end in .png."),
        ("moments x --out x.png --count 0", "count is 0; allowed: whole numbers from 1 to 100."),
    ],
)
def test_refusals(capsys, tmp_path, monkeypatch, arguments, sentence):
    assert_refused(capsys, tmp_path, monkeypatch, arguments, sentence)
