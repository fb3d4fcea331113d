"""``python -m benchmarks peers``, where they cannot run."""

import pytest

from benchmarks import __main__ as command_line
from benchmarks import peers


@pytest.mark.parametrize("broken", ["no checkout", "import fails", "no interpreter", "no such game"])
def test_a_peer_that_cannot_run_is_one_sentence(tmp_path, capsys, broken):
    options = [*peers.SMOKE, "--socialjax", str(tmp_path)]
    expected = "allowed: a checkout of SocialJax."
    if broken != "no checkout":
        (tmp_path / "socialjax").mkdir()
        (tmp_path / "socialjax" / "registration.py").touch()
        (tmp_path / "socialjax" / "__init__.py").write_text("import no_such_module")
        expected = "No module named 'no_such_module'"
    if broken == "no interpreter":
        options += ["--python", "no-such-python"]
        expected = "python is 'no-such-python', which cannot be run"
    if broken == "no such game":
        options[options.index("cleanup")] = "box-trapped"
        expected = "games has 'box-trapped', which no peer here plays; allowed: cleanup, harvest with --socialjax"
    assert command_line.main(["peers", *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line
