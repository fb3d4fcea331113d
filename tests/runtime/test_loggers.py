"""TensorBoard, metrics.csv, and Weights & Biases (a stub that notes what it is given)."""

import builtins
import csv
import dataclasses
import importlib.machinery
import pathlib
import sys
import types

import numpy as np
import pytest

import influence_jax
from influence_jax.config import ConfigError
from influence_jax.runtime import loggers
from influence_jax.runtime.loggers import Csv, TensorBoard
from influence_jax.runtime.recorder import Recorder
from tests.runtime.runs import stop_at

MEMBERS = [{"member": 0, "seed": 3}, {"member": 1, "seed": 4}]


def record(directory, updates, logger, from_update=0):
    recorder = Recorder(directory, from_update, [logger])
    for update in updates:
        shared = {"update": update, "env_steps": 10 * update, "seconds": 0.5, "steps_per_second": 1.0}
        recorder.write(shared, {"a": np.float32([update, np.nan]), "b": np.float32([[update, 0.1], [2, 3]])})
    recorder.close()


def rows_of(directory):
    with open(directory / "metrics.csv", newline="") as file:
        return [(r["member"], r["seed"], r["update"], r["a"], r["b[1]"]) for r in csv.DictReader(file)]


@pytest.mark.parametrize("each, folders", [(False, {"tensorboard"}), (True, {"member_0"})])
def test_tensorboard(tmp_path, each, folders):
    record(tmp_path, (1, 2), TensorBoard(tmp_path, each))
    assert {path.parent.name for path in tmp_path.rglob("events*")} == folders  # the other member has no number


@pytest.mark.parametrize(
    ("each", "shown"),
    [
        (
            False,
            {
                ("tensorboard", "a"): 3,
                ("tensorboard", "a/quantile_0.1"): 1.2,
                ("tensorboard", "a/quantile_0.5"): 2,
                ("tensorboard", "a/quantile_0.9"): 5.2,
            },
        ),
        (True, {("member_0", "a"): 1, ("member_1", "a"): 2, ("member_2", "a"): 6}),
    ],
)
def test_tensorboard_shows_what_members_have(tmp_path, monkeypatch, each, shown):
    """Beyond the step from which a run continues, it forgets what was shown; vectors are not shown."""
    noted = {}

    class Writer:
        def __init__(self, place, purge_step, flush_secs):
            assert purge_step == 51 and flush_secs <= 60
            self.folder = pathlib.Path(place).name

        def add_scalar(self, name, value, step):
            assert step == 60
            noted[self.folder, name] = value

    monkeypatch.setattr(loggers, "SummaryWriter", Writer)
    metrics = {"a": np.float32([1, 2, 6, np.nan]), "b": np.ones((4, 2)), "c": np.full(4, np.nan)}
    TensorBoard(tmp_path, each, after=50).write({"env_steps": 60.0}, metrics)
    assert noted == pytest.approx(shown)


def test_without_tensorboard_everything_else_goes_on(tmp_path):
    (tmp_path / "tensorboard").write_text("in the way")
    with pytest.warns(UserWarning, match="TensorBoard cannot be given more .*; training goes on") as said:
        record(tmp_path, (1, 2), TensorBoard(tmp_path, False))
    assert len(said) == 1 and len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 2


def test_csv_has_a_row_for_each_member_and_log_point(tmp_path):
    record(tmp_path, (1, 2, 3), Csv(tmp_path, MEMBERS))
    expected = [
        (str(m), str(3 + m), str(u), "" if m else f"{u}.0", "3.0" if m else "0.1") for u in (1, 2, 3) for m in (0, 1)
    ]
    assert rows_of(tmp_path) == expected
    record(tmp_path, (3,), Csv(tmp_path, MEMBERS), from_update=2)  # a run that crashed after 3 and continues from 2
    assert rows_of(tmp_path) == expected


def test_csv_is_whole_again_after_a_full_disk(tmp_path, monkeypatch):
    original = builtins.open

    def no_space(path, mode="r", *arguments, **options):
        if str(path).endswith(".csv") and (tmp_path / "metrics.jsonl").read_text().count("\n") == 2:
            with original(path, "a") as file:
                file.write("half a r")
            raise OSError("No space left on device")
        return original(path, mode, *arguments, **options)

    monkeypatch.setattr(builtins, "open", no_space)
    with pytest.warns(UserWarning, match="metrics.csv cannot be given more .No space left"):
        record(tmp_path, (1, 2, 3, 4), Csv(tmp_path, MEMBERS))
    assert [row[2] for row in rows_of(tmp_path)] == ["1", "1", "2", "2", "3", "3", "4", "4"]


@pytest.fixture
def wandb(monkeypatch):
    """A module that notes how runs are started, and what they log."""
    module = types.ModuleType("wandb")
    module.__spec__ = importlib.machinery.ModuleSpec("wandb", None)
    module.runs, module.broken = [], False

    def init(**about):
        if module.broken:
            raise RuntimeError("api_key not\nconfigured")
        logged = []
        module.runs.append((about, logged))
        log = lambda values, step: logged.append((step, values))  # noqa: E731
        return types.SimpleNamespace(log=log, finish=lambda: logged.append("finished"))

    module.init = init
    monkeypatch.setitem(sys.modules, "wandb", module)
    return module


def test_a_run_keeps_its_loggers(tiny, tmp_path, wandb, monkeypatch):
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    out = tmp_path / "a" / "run"
    config = dataclasses.replace(tiny, total_steps=360, loggers=("csv", "wandb"), tensorboard="none")
    influence_jax.train(config, out=out, callback=stop_at(10))
    run = influence_jax.resume(out)
    (first, before), (second, after) = wandb.runs
    assert first["id"] == second["id"] and second["resume"] == "allow" and first["dir"] == out
    assert (first["project"], first["group"], first["name"]) == ("mine", "a", "run")
    assert first["config"]["hyperparams"]["learning_rate"] == config.hyperparams.learning_rate
    assert [x if x == "finished" else x[0] for x in before + after] == [120, "finished", 240, 360, "finished"]
    entropy = run.metrics["entropy"][-1]
    _, last = after[-2]
    assert last["entropy"] == pytest.approx(entropy.mean()) and last["update"] == 30
    assert last["entropy/quantile_0.5"] == pytest.approx(np.median(entropy)) and not (out / "tensorboard").exists()
    frames = pytest.importorskip("pandas")
    order = ["member", "update"]
    found, table = (
        x.sort_values(order, ignore_index=True) for x in (frames.read_csv(out / "metrics.csv"), run.table())
    )
    frames.testing.assert_frame_equal(found, table, check_dtype=False, rtol=1e-6)


def test_refusals(tiny, tmp_path, wandb, monkeypatch):
    asking = dataclasses.replace(tiny, loggers=("wandb",))
    with pytest.raises(ConfigError, match="loggers is wandb without out; allowed: with the directory of a run"):
        influence_jax.train(asking)
    with pytest.raises(ConfigError, match=r"loggers is \('excel',\); allowed: any of csv, wandb"):
        influence_jax.train(dataclasses.replace(tiny, loggers=("excel",)))
    wandb.broken = True
    with pytest.raises(
        ConfigError, match=r"does not start \(RuntimeError: api_key not configured\); allowed: after `wandb"
    ):
        influence_jax.train(asking, out=tmp_path / "run")
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match=r"loggers has wandb, which is not installed; .*influence_jax\[wandb\]"):
        influence_jax.train(asking, out=tmp_path / "other")
    assert not (tmp_path / "other").exists()
