"""``influence-jax play``, with keys from a pipe and from a terminal."""

import io
import os
import termios

import pytest

from influence_jax.cli import main
from influence_jax.cli.play import key_by_key
from tests.cli.commands import assert_refused, refusal


@pytest.fixture
def keys(monkeypatch):
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def pictures(capsys):
    return capsys.readouterr().out.split("q quit\n")[:-1]


def test_a_game_until_told_to_quit(keys, capsys):
    keys("w?\nf jqww")  # the other keys do nothing
    assert main(["play", "cleanup", "--agent", "2"]) == 0
    shown = pictures(capsys)
    did = [next(line.rpartition("did ")[2] for line in text.splitlines() if "(you)" in line) for text in shown]
    assert did == [f"{what} (you)" for what in ("nothing", "forward", "fire", "stay", "turn_counterclockwise")]
    assert "\x1b" not in "".join(shown) and "agent 2 return -1, did fire (you)" in shown[2]


def test_a_run_to_the_end(run_directory, keys, capsys):
    keys("w" * 100)
    assert main(["play", str(run_directory), "--member", "1"]) == 0
    assert len(shown := pictures(capsys)) == 21 and "step 20 of 20" in shown[-1]
    keys("w")
    assert main(["play", str(run_directory), "--steps", "3"]) == 0
    assert len(pictures(capsys)) == 2  # the pipe ends
    assert "others is 'greedy' with a run" in refusal(capsys, "play", str(run_directory), "--others", "greedy")


def test_a_terminal_is_restored():
    master, slave = os.openpty()
    with os.fdopen(slave, "r") as terminal, os.fdopen(master, "wb", buffering=0) as keyboard:
        before = termios.tcgetattr(terminal)
        with pytest.raises(KeyboardInterrupt), key_by_key(terminal):
            keyboard.write(b"w")
            assert terminal.read(1) == "w"  # before the end of the line
            assert not termios.tcgetattr(terminal)[3] & termios.ECHO
            raise KeyboardInterrupt
        assert termios.tcgetattr(terminal) == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("play clenup", "or the directory of a run. Did you mean 'cleanup'?"),
        ("play coins --others greedy", "others is 'greedy', which knows Cleanup and Harvest only; allowed in other"),
        ("play coins --agent 2", "agent is 2; allowed: whole numbers from 0 to 1"),
        ("play coins --member 1", "member is 1 with a game, which has no members"),
        ("play coins --trust", "trust is True with a game"),
        ("play harvest-v7", "the rules of 'harvest' have version 0 here"),
        ("play coins --steps 0", "steps is 0; allowed: whole numbers from 1"),
    ],
)
def test_refusals(capsys, tmp_path, monkeypatch, arguments, sentence):
    assert_refused(capsys, tmp_path, monkeypatch, arguments, sentence)
