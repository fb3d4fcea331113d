"""Completion in a shell: bash itself is asked."""

import contextlib
import io
import os
import shutil
import subprocess

import pytest

from influence_jax import presets
from influence_jax.cli import COMMANDS, main
from influence_jax.cli.completion import ZSH, words
from tests.cli.commands import refusal

BASH = shutil.which("bash")


@pytest.fixture(scope="module")
def script():
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        assert main(["completion", "bash"]) == 0
    return text.getvalue()


@pytest.mark.skipif(BASH is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("line", "found"),
    [
        (["cro"], {"cross-play"}),
        (["train", "harvest-moa-"], {"harvest-moa-baseline"}),
        (["train", "harvest-moa", "--env.params.hit-p"], {"--env.params.hit-penalty"}),
        (["sweep", "harvest-moa", "--gri"], {"--grid"}),
        (["evaluate", "runs/x", "--inter"], {"--interventions"}),
        (["replay", "runs/x", "--mem"], {"--member"}),
        (["evaluate", "runs"], set()),  # files, which bash itself completes
    ],
)
def test_bash_completes(script, line, found):
    typed = " ".join(["influence-jax", *line])
    ask = f'{script}\nCOMP_WORDS=({typed}) COMP_CWORD={len(line)}\n_influence_jax\nprintf "%s\\n" "${{COMPREPLY[@]}}"'
    done = subprocess.run([BASH, "-c", ask], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == found and not done.stderr


def test_every_command_and_preset_is_there(script):
    assert all(f"    {command}) choices=" in script for command in COMMANDS)
    assert {*presets.names()} <= {*words("train")} and {"harvest", "--json"} <= {*words("envs")}
    assert {"env", "learner"} <= {*words("bench")}


def test_zsh_loads_what_bash_has(script, capsys):
    assert main(["completion", "zsh"]) == 0
    assert capsys.readouterr().out == ZSH + script


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh")
def test_zsh_without_its_own_completion_loads_that_first(script, tmp_path):
    ask = f"{ZSH}{script}print $_comps[influence-jax]"
    settings = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run(["zsh", "-f", "-c", ask], capture_output=True, text=True, check=True, env=settings)
    assert done.stdout.split() == ["_bash_complete", "-o", "default", "-F", "_influence_jax"] and not done.stderr


def test_refusals(capsys):
    assert refusal(capsys, "completion", "fish").endswith("shell is 'fish'; allowed: bash or zsh.")
    assert refusal(capsys, "completion").endswith("shell is ''; allowed: bash or zsh.")
