"""Training, stopping and resuming give the same run as without stopping, bit for bit."""

import dataclasses
import json
import pathlib
import re
import shutil
import sys

import jax
import numpy as np
import pytest

import influence_jax
from influence_jax import presets
from influence_jax.analysis import load_metrics
from influence_jax.config import ConfigError, Hyperparams, InfluenceConfig, to_json
from influence_jax.learner.learner import make_learner
from influence_jax.runtime.directory import locked
from influence_jax.runtime.run import config_of, resume
from tests.runtime.runs import assert_same, assert_same_metrics, stop_at


def test_resume_equals_uninterrupted(tiny, whole, tmp_path):
    out = tmp_path / "run"
    half = influence_jax.train(tiny, out=out, callback=stop_at(50))
    assert half.update == 50 and not half.finished
    rest = influence_jax.train(tiny, out=out, resume=True)
    assert rest.update == 100 and rest.finished
    assert influence_jax.train(tiny, out=out, resume=True).compile_seconds < 0.1  # there is nothing left to compile for
    assert_same(whole[0].state, rest.state)
    assert_same_metrics(whole[0].metrics, rest.metrics)


@pytest.mark.slow
def test_resume_keeps_what_was_tried_in_the_game_and_what_agents_earned(tiny, tmp_path):
    """Real influence paid as a share of income needs memory from step to step and from update to update."""
    config = dataclasses.replace(
        tiny,
        influence=InfluenceConfig(model="intervention", pay="income_share"),
        hyperparams=Hyperparams(income_share=0.1),
        total_steps=480,
    )
    whole = influence_jax.train(config)
    influence_jax.train(config, out=tmp_path / "run", callback=stop_at(20))
    rest = influence_jax.train(config, out=tmp_path / "run", resume=True)
    assert whole.metrics["influence"].min() > 0 and (whole.metrics["current_influence_weight"] > 0).any()
    assert_same(whole.state, rest.state)
    assert_same_metrics(whole.metrics, rest.metrics)


def test_resume_after_crashes(tiny, whole, tmp_path):
    """Log points after the last checkpoint are dropped; before the first one a run starts again. Their clock goes on."""
    out = tmp_path / "run"

    def crash(update, **options):
        influence_jax.train(tiny, out=out, callback=stop_at(update), **options)
        shutil.rmtree(out / "checkpoints" / str(update))  # as if it had not been saved when the power went

    crash(20)
    with pytest.warns(UserWarning, match="no checkpoint; it begins again"):
        crash(60, resume=True)
    assert load_metrics(out)["update"][:, 0].tolist() == [10, 20, 30, 40, 50, 60]
    with open(out / "metrics.jsonl", "a") as file:
        file.write('{"update": 70, "env_st')
    rest = influence_jax.train(tiny, out=out, resume=True)
    assert [part["from_update"] for part in json.loads((out / "run.json").read_text())] == [0, 0, 40]
    assert (np.diff(rest.metrics["seconds"][:, 0]) > 0).all()
    assert_same(whole[0].state, rest.state)
    assert_same_metrics(whole[0].metrics, rest.metrics)


def test_memory_alone_gives_the_same_run_and_a_callback_sees_it(tiny, whole):
    points = []
    other = dataclasses.replace(tiny, seeds=1, total_steps=7)
    run = influence_jax.train(other, seeds=2, total_steps=1.2e3, callback=points.append)
    assert run.config == make_learner(tiny).config
    assert_same(whole[0].state, run.state)
    assert_same_metrics(whole[0].metrics, run.metrics)
    assert [point.update for point in points] == list(range(10, 101, 10))
    assert (points[0].num_updates, points[0].env_steps, points[0].total_env_steps) == (100, 120, 1200)
    assert points[0].steps_per_second > 0 and points[0].metrics["collective_return"].shape == (2,)


def test_load_gives_the_last_state(whole):
    run = influence_jax.load(whole[1])
    assert run.update == 100
    assert_same(whole[0].state, run.state)
    assert_same_metrics(whole[0].metrics, run.metrics)


def test_files(tiny, whole):
    run, out = whole
    saved = json.loads((out / "config.json").read_text())
    assert saved.pop("format_version") == 3 and saved.pop("env_version") == 0
    assert saved == json.loads(to_json(make_learner(tiny).config))
    assert json.loads((out / "run.json").read_text())[0]["jax"] == jax.__version__
    assert sorted(p.name for p in (out / "checkpoints").iterdir()) == ["100", "80"]
    assert len(list((out / "tensorboard").glob("events*"))) == 1

    def no_constant(name):
        raise AssertionError(f"{name} is not JSON")

    rows = [json.loads(line, parse_constant=no_constant) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [r["update"] for r in rows] == [10 * (i + 1) for i in range(10)]
    assert all(r["env_steps"] == r["update"] * 12 and r["members"]["count"] == 2 for r in rows)
    wanted = (
        "collective_return agent_returns equality influence current_influence_weight entropy moa_cross_entropy".split()
    )
    assert {*wanted, "apples", "fires", "cleans"} <= rows[0]["mean"].keys() and "steps_per_second" in rows[0]
    assert len(rows[0]["mean"]["agent_returns"]) == 2
    assert run.metrics["agent_returns"].shape == (10, 2, 2)
    assert run.metrics["collective_return"].shape == (10, 2)


@pytest.mark.parametrize("setting", [{"total_steps": 2.5}, {"total_steps": 0}, {"seeds": 0}])
def test_impossible_settings_leave_nothing_behind(tiny, tmp_path, setting):
    with pytest.raises(ConfigError, match=f"{next(iter(setting))} is"):
        influence_jax.train(tiny, out=tmp_path / "run", **setting)
    assert not (tmp_path / "run").exists()


def test_two_processes_in_one_directory_are_refused(tiny, tmp_path):
    influence_jax.train(tiny, out=tmp_path / "run", callback=stop_at(10))
    with locked(tmp_path / "run"), pytest.raises(ConfigError, match="in which another process trains"):
        resume(tmp_path / "run")


def test_lost_log_points_are_said(whole, tmp_path):
    shutil.copytree(whole[1], tmp_path / "run")
    path = tmp_path / "run" / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3] + lines[5:]))
    with pytest.warns(UserWarning, match=r"lacks 2 of 10 log points \(updates 40, 50\)"):
        assert len(influence_jax.load(tmp_path / "run").metrics["update"]) == 8


def test_a_damaged_checkpoint_costs_no_more_than_it_held(whole, tmp_path):
    shutil.copytree(whole[1], tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "100" / "_METADATA").write_text("")
    (tmp_path / "run" / "run.json").write_text("{")
    with (
        pytest.warns(UserWarning, match="checkpoints/100' is damaged"),
        pytest.warns(UserWarning, match=r"run\.json' cannot be read"),
    ):
        run = resume(tmp_path / "run")
    assert_same(whole[0].state, run.state)
    assert_same_metrics(whole[0].metrics, run.metrics)


def test_a_directory_is_enough_to_go_on(tiny, whole, tmp_path):
    def stop(point):
        if point.update == 50:
            raise KeyboardInterrupt

    influence_jax.train(tiny, out=tmp_path / "run", callback=stop)
    rest = resume(tmp_path / "run")
    assert_same(whole[0].state, rest.state)
    assert_same_metrics(whole[0].metrics, rest.metrics)


def test_a_run_may_become_longer_and_says_so(tiny, tmp_path):
    influence_jax.train(tiny, out=tmp_path / "run")
    longer = resume(tmp_path / "run", total_steps=2.4e3)
    assert longer.update == 200 and longer.finished
    part = json.loads((tmp_path / "run" / "run.json").read_text())[-1]
    assert (part["from_update"], part["total_steps"], part["total_steps_before"]) == (100, 2400, 1200)
    # The schedules refer to the new length: half-way again, where it had come to its end.
    rate = longer.metrics["current_learning_rate"][:, 0]
    assert rate[9] < rate[10] and longer.config.total_steps == 2400
    middle = tiny.hyperparams.learning_rate + 104.5 / 200 * (
        tiny.hyperparams.learning_rate_end - tiny.hyperparams.learning_rate
    )
    np.testing.assert_allclose(rate[10], middle, rtol=1e-4)
    with pytest.raises(
        ConfigError, match=r"total_steps is 1200 for a run of which 2400 are done; allowed: at least so many"
    ):
        resume(tmp_path / "run", total_steps=1200)


def test_a_run_begins_with_the_parameters_of_another(tiny, whole, tmp_path):
    config = dataclasses.replace(tiny, hyperparams=tiny.hyperparams.replace(learning_rate=0.0, learning_rate_end=0.0))
    run = influence_jax.train(config, out=tmp_path / "run", start_from=whole[1])
    jax.tree.map(np.testing.assert_array_equal, run.state.params, whole[0].state.params)
    part = json.loads((tmp_path / "run" / "run.json").read_text())[-1]
    assert part["start_from"] == {"directory": str(whole[1]), "update": 100} and part["from_update"] == 0
    other = dataclasses.replace(tiny, network=dataclasses.replace(tiny.network, core_size=4))
    with pytest.raises(
        ConfigError, match=r"networks of another shape, .*: network.core_size is 4, was 8; allowed: runs"
    ):
        influence_jax.train(other, start_from=whole[1])
    for seeds, allowed in ((3, "1 or 3"), (1, "1")):
        with pytest.raises(ConfigError, match=f"start_from has 2 members, this run {seeds}; allowed: {allowed}\\."):
            influence_jax.train(dataclasses.replace(tiny, seeds=seeds), start_from=whole[1])


def test_what_is_no_experiment_is_a_sentence(tiny):
    with pytest.raises(ConfigError, match=r"preset is 'harvest-mao'; allowed: .* Did you mean 'harvest-moa'"):
        influence_jax.train("harvest-mao")
    for experiment in (3, None, {"env": "harvest"}):
        with pytest.raises(ConfigError, match=r"experiment is .*; allowed: the name of a preset, a configuration, or"):
            influence_jax.train(experiment)
    learner = make_learner(tiny)
    assert config_of("harvest-moa") == presets.get("harvest-moa") and config_of(learner) is learner.config
    with pytest.raises(ConfigError, match=r"a learner with parts of your own \(optimizer\)"):
        influence_jax.sweep(dataclasses.replace(learner, optimizer=None), grid={"discount": [0.9]}, out="x")


FAILING = """
import jax.numpy as jnp
from influence_jax.rewards import Shaper

def scalar(factual, marginal, realised, axis=-1):
    return jnp.float32(0)

def raising(factual, marginal, realised, axis=-1):
    raise RuntimeError("boom")

def no_axis(factual, marginal, realised):
    return factual

def total(reward, first):
    return reward.sum(axis=-1)

flat = Shaper(lambda e, n: (), lambda state, reward, first, hparams: (state, reward.sum(axis=-1)))
triple = (1, 2, 3, {}, 5)

def entropy(trajectory):
    return {"entropy": trajectory.reward}

def member(trajectory):
    return {"member": trajectory.reward}

def short(trajectory):
    return {"mine": trajectory.reward[0]}
"""


@pytest.mark.parametrize(
    ("section", "name", "value", "words"),
    [
        ("influence", "measure", "scalar", "influence.measure returned float32[] for distributions"),
        ("influence", "measure", "raising", "influence.measure 'failing:raising' fails (RuntimeError: boom)"),
        ("influence", "measure", "no_axis", "influence.measure 'failing:no_axis' fails (TypeError"),
        ("influence", "measure", "nothing", "has no attribute 'nothing'"),
        ("influence", "model", "scalar", "influence.model 'failing:scalar' returned"),
        ("learner", "shaper", "flat", "learner.shaper returned rewards of shape [4, 3]; allowed: [4, 3, 2]."),
        ("learner", "shaper", "triple", "learner.shaper 'failing:triple' fails (TypeError"),
        ("learner", "optimizer", "raising", "learner.optimizer 'failing:raising' fails (TypeError"),
        ("learner", "metrics", "entropy", "learner.metrics has the names entropy; allowed"),
        ("learner", "metrics", "member", "learner.metrics has the names member; allowed"),
        ("learner", "metrics", "short", "learner.metrics has 'mine' of shape [3, 2]"),
    ],
)
def test_code_of_ones_own_that_fails_is_one_sentence_and_leaves_nothing(
    tiny, tmp_path, monkeypatch, section, name, value, words
):
    (tmp_path / "failing.py").write_text(FAILING)
    monkeypatch.syspath_prepend(str(tmp_path))
    path = f"failing:{value}"
    part = dataclasses.replace(getattr(tiny, section), **{name: (path,) if name == "metrics" else path})
    if section == "learner":  # whoever acts
        tiny = dataclasses.replace(tiny, influence=InfluenceConfig(), hyperparams=Hyperparams())
    with pytest.raises(ConfigError) as error:
        influence_jax.train(dataclasses.replace(tiny, **{section: part}), out=tmp_path / "run")
    sys.modules.pop("failing", None)
    assert words in str(error.value) and "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ("null", "cannot be read"),
        ("[]", "does not list members alike"),
        ('[{"member": 1, "seed": 0}]', "does not list members alike"),
        ('[{"member": 0, "seed": 0}, {"member": 1}]', "does not list members alike"),
        ('[{"member": 0, "seed": 0}]', "lists members of 1 seeds, its configuration has 2"),
        ('[{"member": 0, "seed": 0, "sed": 1}, {"member": 1, "seed": 0, "sed": 1}]', "'sed'] is not a setting"),
        ('[{"member": 0, "seed": []}, {"member": 1, "seed": 0}]', "cannot be read"),
        ('[{"member": 0, "seed": -3}, {"member": 1, "seed": 0}]', "hyperparams['seed'] is -3"),
    ],
)
def test_damaged_lists_of_members_are_refused(tiny, tmp_path, members, words):
    influence_jax.train(dataclasses.replace(tiny, total_steps=12), out=tmp_path / "run")
    (tmp_path / "run" / "members.json").write_text(members)
    with pytest.raises(ConfigError) as error:
        influence_jax.load(tmp_path / "run")
    assert words in str(error.value)


def test_directories_that_are_not_for_a_run(tiny, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "members.json").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "else")
    (tmp_path / "file").touch()
    for out, words in (
        (tmp_path / "notes", "which is not empty"),
        (tmp_path / "file/run", "file' is a file"),
        (tmp_path / "link/run", "links to nothing"),
        (tmp_path / ("x" * 300), "cannot be"),
        ("gs://bucket/run", "out is 'gs://bucket/run', a URL; allowed: a path on this machine"),
        (pathlib.Path("gs://bucket/run"), "a URL"),
        (tmp_path / "a\0b", "cannot be"),
        ("", "out is ''; allowed: the path"),
        ("~nobody-of-that-name/run", "cannot be"),
    ):
        with pytest.raises(ConfigError, match=words):
            influence_jax.train(dataclasses.replace(tiny, total_steps=12), out=out)
    assert (tmp_path / "notes" / "members.json").read_text() == "mine"


def test_a_run_is_a_line_a_table_a_comparison_and_a_figure(whole):
    run = whole[0]
    assert re.fullmatch(
        r"Run harvest-moa, 2 members, 1\.2k steps, return -?[\d.]+ \+- [\d.]+, sight 0\.\d\d.*", repr(run)
    )
    table = run.table()
    assert len(table) == 2 * 10 and table["seed"].unique().tolist() == [run.config.seed, run.config.seed + 1]
    np.testing.assert_array_equal(table["entropy"][:10], run.metrics["entropy"][:, 0])
    assert [row["group"] for row in influence_jax.compare(run, by="seed").rows] == ["seed 0", "seed 1"]
    assert influence_jax.plot_learning_curves(run).axes
