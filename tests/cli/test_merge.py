"""``influence-jax merge``."""

import csv

import pytest

from influence_jax.cli import main
from tests.cli.commands import SWEEP, assert_refused


def test_two_shards(tiny_options, tmp_path, capsys, monkeypatch):
    """Each of two members, which is the program of the other commands' run."""
    command = [*SWEEP, *tiny_options, "--grid", "learning-rate=1e-3,3e-4", "--quiet", "--out"]
    shards = [str(tmp_path / name) for name in ("0", "1")]
    assert main([*command, shards[0], "--shard", "0/2"]) == 0
    assert main([*command, shards[1], "--shard", "1/2"]) == 0
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "1")
    assert main([*command, shards[1], "--resume"]) == 0  # which shard it is, it says itself
    assert main(["merge", *shards, "--out", str(tmp_path / "whole")]) == 0
    said = capsys.readouterr().out
    with open(tmp_path / "whole" / "final.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["trial"], row["seed"]) for row in rows] == [("0", "0"), ("0", "1"), ("1", "0"), ("1", "1")]
    assert "every member" in said and (tmp_path / "whole" / "best.png").exists()


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ("", "--out"),
        ("--out x", "shards is (); allowed: a list of at least one directory"),
        ("nowhere --out x", "'nowhere' holds no sweep; allowed"),
        ("nowhere --oot x", "--oot is not an option. Did you mean '--out'?"),
    ],
)
def test_refusals(capsys, tmp_path, monkeypatch, arguments, sentence):
    assert_refused(capsys, tmp_path, monkeypatch, f"merge {arguments}", sentence)
