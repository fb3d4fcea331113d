"""Other packages' games, where they cannot run."""

import pytest

from influence_jax.bench import __main__ as command_line
from influence_jax.bench import env


@pytest.mark.parametrize("broken", ["no checkout", "import fails", "no interpreter"])
def test_a_peer_that_cannot_run_is_one_sentence(tmp_path, capsys, broken):
    options = [*env.SMOKE, "--socialjax", str(tmp_path)]
    expected = "allowed is a checkout of SocialJax."
    if broken != "no checkout":
        (tmp_path / "socialjax").mkdir()
        (tmp_path / "socialjax" / "registration.py").touch()
        (tmp_path / "socialjax" / "__init__.py").write_text("import no_such_module")
        expected = "No module named 'no_such_module'"
    if broken == "no interpreter":
        options += ["--peer-python", "no-such-python"]
        expected = "peer_python is 'no-such-python', which cannot be run"
    assert command_line.main(["env", *options]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert expected in line
