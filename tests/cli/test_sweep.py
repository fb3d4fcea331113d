"""``influence-jax sweep``."""

import csv
import dataclasses
import json
import os
import re
import signal
import types

import pytest

from influence_jax.cli import main
from influence_jax.cli.sweep import finish, shard_of
from influence_jax.runtime.progress import Progress
from influence_jax.settings import ConfigError
from influence_jax.sweeps import sweep as sweeps
from influence_jax.sweeps.results import Record, Sweep
from influence_jax.sweeps.space import Space
from tests.cli.commands import SWEEP, assert_refused, refusal
from tests.conftest import tiny_arguments


def test_sweep_and_best(tmp_path, capsys, monkeypatch):
    """Of two members, which is the program of the other commands' run."""

    def press(self, point):
        raise KeyboardInterrupt

    out, options = tmp_path / "x", [*SWEEP, *tiny_arguments(seeds="1")]
    command = [*options, "--grid", "learning-rate=1e-3,3e-4", "--grid", "hit-penalty=0", "--out", str(out)]
    assert main([*command, "--dry-run", "--measure"]) == 0
    said = capsys.readouterr().err
    assert "2 trials x 1 seed = 2 members in 1 program of 2; 2,400 environment steps" in said
    found = re.search(
        r"about (\d):(\d\d):(\d\d) in all: the first program compiles in (\d+) s and then runs ([\d,]+) .* here$",
        said.strip(),
    )
    hours, minutes, seconds, compiling, rate = (int(x.replace(",", "")) for x in found.groups())
    assert abs(3600 * hours + 60 * minutes + seconds - (2400 / rate + compiling)) <= 2
    assert not out.exists()
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "__call__", press)
        assert main(command) == 75
    capsys.readouterr()
    with pytest.warns(UserWarning, match="is not finished: 0 of 1 programs are, and 2 of 2 trials have results"):
        assert main(["best", str(out), "--metric", "entropy", "--json"]) == 0
    assert '"learning_rate": 0.001' in capsys.readouterr().out
    assert main(["resume", str(out)]) == 0
    assert "return" in capsys.readouterr().out
    assert main(["resume", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["finished"] is True
    with open(out / "final.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    wanted = {"trial", "learning_rate", "env.params.hit_penalty", "seed", "entropy"}
    assert len(rows) == 2 and wanted <= rows[0].keys()
    assert (out / "best.png").stat().st_size > 1000
    assert main(["best", str(out), "--count", "1", "--metric", "entropy", "--json"]) == 0
    assert capsys.readouterr().out.count('"trial"') == 1
    chosen = str(tmp_path / "best.json")
    assert main(["best", str(out), "--count", "2", "--metric", "entropy", "--space", chosen]) == 0
    again = [*options, "--seed", "100", "--space", chosen, "--out", str(tmp_path / "again"), "--dry-run"]
    assert main(again) == 0 and "2 trials x 1 seed = 2 members in 1 program of 2" in capsys.readouterr().err
    sentence = refusal(capsys, "best", str(out), "--metric", "colective_return")
    assert "metric is 'colective_return'; allowed: " in sentence and "Did you mean 'collective_return'?" in sentence
    assert "it exists; allowed: a new file" in refusal(capsys, "best", str(out), "--space", chosen)
    assert main(["sweep", "--help"]) == 0


@pytest.mark.parametrize(
    "options, sentence",
    [
        ("", "grid and random are empty"),
        ("--grid discount", "grid is 'discount'; allowed: a setting and its values, NAME=A,B."),
        ("--grid discount=.9 --grid discount=.8", "grid has 'discount' 2 times"),
        ("--grid dsicount=.9", "'dsicount' is not a setting of a sweep"),
        ("--grid discount=2", "is 2; allowed: numbers from 0 to 1"),
        ("--grid learning-rate=1e-3,abc", "hyperparams['learning_rate'] is 'abc'; allowed: numbers"),
        ("--random discount=log:0:1", "allowed: log:LOW:HIGH"),
        ("--grid discount=.9 --space nowhere.json", "together with space; allowed: one of them"),
        ("--space nowhere.json", "space 'nowhere.json' cannot be read"),
        ("--grid discount=.9 --from x", "from is 'x', but sweeps start from scratch; allowed: nothing"),
        ("--grid discount=.9 --measure", "measure is True without dry_run; allowed: both or neither."),
        ("--grid discount=.9 --nonsense 3", "--nonsense is not an option"),
        ("--grid discount=.9 --draw-seed=--", "argument --draw-seed: expected one argument; allowed: an option with"),
        ("--grid discount=.9 --mesh member=7", "mesh['member'] is 7 for 1; allowed: numbers that divide it"),
        ("--grid critic=shared,none", "network.critic is 'none'; allowed"),
        ("--grid discount=.9,.8 --shard 1", "shard is '1'; allowed: I/N, such as 3/16, with I from 0."),
        ("--grid discount=.9,.8 --shard 2/2", "shard is (2, 2); allowed: (i, n)"),
        ("--grid discount=.9,.8 --shard 2/3", "shard is 2 of 3 where there are 2 trials; allowed: 2 shards at most"),
        ("--grid discount=.9 --trials x", "trials is 'x'; allowed: whole numbers"),
    ],
)
def test_what_cannot_be_searched_is_refused(capsys, tmp_path, monkeypatch, options, sentence):
    assert_refused(capsys, tmp_path, monkeypatch, f"{' '.join(SWEEP)} --out x --quiet {options}", sentence)


@pytest.mark.slow
def test_optuna_chooses(tiny_options, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    storage, out = f"sqlite:///{tmp_path}/study.db", tmp_path / "x"
    command = [*SWEEP, *tiny_options, "--random", "learning-rate=log:1e-4:1e-2", "--quiet", "--out", "~/x"]
    assert main([*command, "--optuna", storage, "--trials", "3", "--at-once", "2"]) == 0
    assert main(["best", str(out), "--json"]) == 0
    assert capsys.readouterr().out.count('"trial"') == 3 and (out / "final.csv").exists()


def test_stopped_while_the_first_program_is_compiled(tiny_options, tmp_path, capsys, monkeypatch):
    """Nothing is left behind, and the same command starts again."""

    def interrupted(program, place, *_):
        os.kill(os.getpid(), signal.SIGINT)
        return Record(update=0, metrics={})

    out = tmp_path / "x"
    command = [*SWEEP, *tiny_options, "--grid", "learning-rate=1e-3,3e-4", "--quiet", "--out", str(out), "--resume"]
    with monkeypatch.context() as patch:
        patch.setattr(sweeps, "run_program", interrupted)
        assert main(command) == 75
        assert "Stopped before the first update; nothing was written." in capsys.readouterr().out and not out.exists()
        assert main(command) == 75  # begins again, and is interrupted again


def test_what_could_not_be_saved_is_said(tmp_path, capsys):
    """So is a need for more memory; retrying either unchanged is pointless."""
    record = Record(update=3, metrics={}, saved=False)
    program = types.SimpleNamespace(
        trials=[0], learner=types.SimpleNamespace(config=types.SimpleNamespace(num_updates=9))
    )
    found = Sweep(Space(), [program], tmp_path, [record])
    (tmp_path / "sweep.json").touch()
    given = types.SimpleNamespace(quiet=True, json=False)
    assert finish(found, given) == 1
    said = capsys.readouterr()
    assert said.out.startswith("Stopped; 0 of 1 programs are done. Continue with: influence-jax resume")
    assert said.err == "influence-jax: programs 0 could not be saved at the end.\n"
    too_large = dataclasses.replace(found, records=[dataclasses.replace(record, saved=True, too_large=True)])
    assert finish(too_large, given) == 1 and "programs 0 need more memory" in capsys.readouterr().err
    saved = dataclasses.replace(found, records=[dataclasses.replace(record, saved=True)])
    assert finish(saved, given) == 75 and "Stopped and saved" in capsys.readouterr().out
    given.json = True
    assert finish(saved, given) == 75
    about = {"out": str(tmp_path), "programs": 1, "num_finished": 0, "finished": False, "failed": []}
    assert json.loads(capsys.readouterr().out) == about


def test_a_shard_is_never_guessed():
    """With ``sbatch --array=5`` SLURM reports an array of one task."""
    array = {"SLURM_ARRAY_TASK_ID": "5", "SLURM_ARRAY_TASK_COUNT": "1", "SLURM_ARRAY_TASK_MIN": "5"}
    assert shard_of("5/8", None, array) == (5, 8) and shard_of(None, [5, 8], array) == (5, 8)
    assert shard_of(None, None, {}) is None
    with pytest.raises(
        ConfigError, match=r"shard is missing in a task of a SLURM job array; .*--shard \$SLURM_ARRAY_TASK_ID/16"
    ):
        shard_of(None, None, array)
