"""``influence-jax bench`` and ``python -m benchmarks``; answers are tested in tests/bench and tests/benchmarks."""

import pytest

from benchmarks import __main__ as benchmarks
from influence_jax.bench import env
from influence_jax.cli import bench, main
from tests.cli.commands import assert_refused


def test_on_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["bench", "env", *env.SMOKE, "--out", "here"]) == 0
    assert "cleanup, 2 envs" in capsys.readouterr().out and (tmp_path / "here" / "env.json").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("evn", "question is 'evn'; allowed: env, learner, "),
        ("env --out gs://bucket/x", "a URL; allowed: a path on this machine"),
        ("env --step 3", "influence-jax: --step is not an option. Did you mean '--steps'? (--help lists all options.)"),
        ("env --steps many", "Error parsing --steps: invalid literal for int() with base 10: 'many'; "),
        ("env --steps 3 4", "Unrecognized options: 4; influence-jax bench env --help lists what is allowed."),
        ("learner --presets cleanup-a3d", "Did you mean 'cleanup-a3c'?"),
    ],
)
def test_refusals(capsys, tmp_path, monkeypatch, arguments, sentence):
    assert_refused(capsys, tmp_path, monkeypatch, f"bench {arguments}", sentence)


def test_refusals_of_benchmarks(capsys):
    assert benchmarks.main(["limit"]) == 2
    assert capsys.readouterr().err.startswith("benchmarks: question is 'limit'; allowed: limits, peers, ")


@pytest.mark.parametrize(("ask", "questions"), [(bench.main, bench.QUESTIONS), (benchmarks.main, benchmarks.QUESTIONS)])
def test_questions_are_listed_and_explained(ask, questions, capsys):
    assert ask([]) == 2 and ask(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(listed.count(f"  {name:<11} {summary}\n") == 2 for name, summary in questions.items())
    for name in questions:
        with pytest.raises(SystemExit) as stop:
            ask([name, "--help"])
        assert stop.value.code == 0 and f"{name} [-h]" in capsys.readouterr().out
