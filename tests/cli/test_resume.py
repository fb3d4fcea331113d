"""``influence-jax resume``."""

import shlex

from influence_jax.cli import main
from influence_jax.runtime.progress import Progress
from tests.cli.commands import TRAIN, refusal


def test_stop_and_go_on_as_told(tiny_options, tmp_path, capsys, monkeypatch):
    def press(self, point):
        if point.update == 50:
            raise KeyboardInterrupt

    arguments = [*TRAIN, *tiny_options, "--out", str(tmp_path / "my run")]
    monkeypatch.setattr(Progress, "__call__", press)
    assert main(arguments) == 75
    advice = capsys.readouterr().out.splitlines()[-1].partition("Continue with: ")[2]
    program, *arguments = shlex.split(advice)
    assert program == "influence-jax" and arguments == ["resume", str(tmp_path / "my run")]
    assert main(arguments) == 0
    assert "100 of 100 updates done" in capsys.readouterr().out


def test_a_directory_without_a_run_is_refused(capsys, tmp_path):
    assert "holds no run" in refusal(capsys, "resume", str(tmp_path / "x"))
