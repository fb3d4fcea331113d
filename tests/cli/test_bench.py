"""``influence-jax bench`` and its questions; what they answer is tested in tests/bench."""

import pytest

from influence_jax import cli
from influence_jax.bench import __main__ as command_line
from influence_jax.bench import env


def test_on_the_command_line(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    assert cli.main(["bench", "env", *env.SMOKE, "--out", "here"]) == 0
    assert "cleanup, 2 envs" in capfd.readouterr().out and (tmp_path / "here" / "env.json").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["evn"], "question is 'evn'; allowed: env, learner, "),
        (["env", "--out", "gs://bucket/x"], "a URL; allowed: a path on this machine"),
        (["learner", "--presets", "cleanup-a3d"], "Did you mean 'cleanup-a3c'?"),
    ],
)
def test_refusals(arguments, sentence, capsys):
    assert command_line.main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line


def test_questions_are_listed(capsys):
    assert command_line.main([]) == 2 and command_line.main(["--help"]) == 0
    assert capsys.readouterr().out.count("what influence costs") == 2
