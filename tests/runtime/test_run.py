import dataclasses
import json
import os
import signal
import subprocess
import sys

import jax
import numpy as np
import optax
import pytest

import influence_jax
from influence_jax.analysis import load_metrics
from influence_jax.config import ConfigError, to_json
from influence_jax.learner.learner import make_learner
from influence_jax.runtime.recorder import ALWAYS, make_rows, truncate
from influence_jax.runtime.run import resume

pytestmark = pytest.mark.usefixtures("compile_quickly")

WALL_CLOCK = ("steps_per_second", "seconds")


def stop_at(update):
    def callback(point):
        if point.update == update:
            raise KeyboardInterrupt

    return callback


def assert_same(a, b):
    """Bit for bit, typed keys included."""
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        if jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key):
            x, y = jax.random.key_data(x), jax.random.key_data(y)
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(np.asarray(x), np.asarray(y))


def assert_same_metrics(a, b):
    assert a.keys() == b.keys()
    for name in a:
        if name not in WALL_CLOCK:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """A run without interruption, and its directory."""
    out = tmp_path_factory.mktemp("whole") / "run"
    return influence_jax.train(tiny, out=out), out


def test_resume_equals_uninterrupted(tiny, whole, tmp_path):
    out = tmp_path / "run"
    half = influence_jax.train(tiny, out=out, callback=stop_at(50))
    assert half.update == 50 and not half.finished
    rest = influence_jax.train(tiny, out=out, resume=True)
    assert rest.update == 100 and rest.finished
    assert_same(whole[0].state, rest.state)
    assert_same_metrics(whole[0].metrics, rest.metrics)


def test_resume_after_crashes(tiny, whole, tmp_path):
    """Log points after the last checkpoint are dropped; before the first one a run starts again."""
    out = tmp_path / "run"

    def crash_at(update):
        def callback(point):
            if point.update == update:
                raise RuntimeError("the power is gone")

        return callback

    with pytest.raises(RuntimeError, match="power"):
        influence_jax.train(tiny, out=out, callback=crash_at(20))
    with pytest.raises(RuntimeError, match="power"):
        influence_jax.train(tiny, out=out, callback=crash_at(60), resume=True)
    assert load_metrics(out)["update"][:, 0].tolist() == [10, 20, 30, 40, 50, 60]
    with open(out / "metrics.jsonl", "a") as file:
        file.write('{"update": 70, "env_st')
    rest = influence_jax.train(tiny, out=out, resume=True)
    assert [part["from_update"] for part in json.loads((out / "run.json").read_text())] == [0, 0, 40]
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
    assert saved.pop("format_version") == 2
    assert saved == json.loads(to_json(make_learner(tiny).config))
    assert json.loads((out / "run.json").read_text())[0]["jax"] == jax.__version__
    assert sorted(p.name for p in (out / "checkpoints").iterdir()) == ["100", "80"]
    assert len(list((out / "tensorboard").glob("member_*/events*"))) == 2

    def no_constant(name):
        raise AssertionError(f"{name} is not JSON")

    rows = [json.loads(line, parse_constant=no_constant) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert [(r["update"], r["member"]) for r in rows] == [(10 * (i + 1), m) for i in range(10) for m in range(2)]
    assert all(r["env_steps"] == r["update"] * 12 for r in rows)
    wanted = "collective_return agent_returns equality influence influence_weight entropy moa_cross_entropy".split()
    assert {*wanted, "apples", "fires", "cleans", "steps_per_second"} <= rows[0].keys()
    assert len(rows[0]["agent_returns"]) == 2
    assert run.metrics["agent_returns"].shape == (10, 2, 2)
    assert run.metrics["collective_return"].shape == (10, 2)


def test_a_directory_belongs_to_one_run(tiny, whole, tmp_path):
    with pytest.raises(ConfigError, match="holds a run; allowed"):
        influence_jax.train(tiny, out=whole[1])
    other = dataclasses.replace(tiny, hyperparams=tiny.hyperparams.replace(entropy_coef=0.5))
    with pytest.raises(ConfigError, match=r"another configuration: hyperparams.entropy_coef is 0.5, was 0.00223\.$"):
        influence_jax.train(other, out=whole[1], resume=True)
    with pytest.raises(ConfigError, match="holds no run"):
        influence_jax.train(tiny, out=tmp_path / "nothing", resume=True)
    assert not (tmp_path / "nothing").exists()
    with pytest.raises(ConfigError, match="resume is True without out"):
        influence_jax.train(tiny, resume=True)
    (tmp_path / "checkpoints").mkdir()  # whose configuration was lost
    with pytest.raises(ConfigError, match="holds a run; allowed"):
        influence_jax.train(tiny, out=tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="is a file"):
        influence_jax.train(tiny, out=tmp_path / "file")


def test_an_unknown_format_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"format_version": 99}')
    with pytest.raises(ConfigError, match=r"format_version of .* is 99; this version reads 2"):
        influence_jax.load(tmp_path)


@pytest.mark.parametrize("setting", [{"total_steps": 2.5}, {"total_steps": 0}, {"seeds": 0}])
def test_impossible_settings_leave_nothing_behind(tiny, tmp_path, setting):
    with pytest.raises(ConfigError, match=f"{next(iter(setting))} is"):
        influence_jax.train(tiny, out=tmp_path / "run", **setting)
    assert not (tmp_path / "run").exists()


def test_non_finite_parameters_stop_the_run(tiny, tmp_path):
    broken = dataclasses.replace(tiny, hyperparams=tiny.hyperparams.replace(learning_rate=1e38))
    with pytest.raises(FloatingPointError, match="member 0, 1 are no longer finite after update 10"):
        influence_jax.train(broken, out=tmp_path / "run")
    assert load_metrics(tmp_path / "run")["update"].tolist() == [[10, 10]]


def test_rows_are_json_and_exact():
    logs = {"a": np.float32([0.1, np.nan]), "b": np.float32([[1.0, np.inf], [1 / 3, 2.0]])}
    first, second = make_rows(logs, update=7)
    unknown = dict.fromkeys(ALWAYS)
    assert first == {"update": 7, "member": 0, "a": 0.1, "b": [1.0, None]} | unknown
    assert second["a"] is None and np.float32(second["b"][0]) == np.float32(1 / 3)


def test_truncate(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"update": 1}\n{"update": 2}\n{"update": 3}\n{"upda')
    truncate(path, 2)
    assert path.read_text() == '{"update": 1}\n{"update": 2}\n'
    truncate(path, 0)
    assert path.read_text() == ""


def test_interrupt_signal_finishes_the_chunk_and_saves(tiny, tmp_path):
    def press(point):
        if point.update == 30:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    run = influence_jax.train(tiny, out=tmp_path / "run", callback=press)
    assert run.update == 30 and influence_jax.load(tmp_path / "run").update == 30
    assert signal.getsignal(signal.SIGINT) is before


def test_nothing_is_computed_by_import():
    """A program that only imports the package must not take hold of a device."""
    code = "import influence_jax, jax; assert not jax._src.xla_bridge._backends"
    subprocess.run([sys.executable, "-c", code], check=True, close_fds=False)


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
    rate = longer.metrics["learning_rate"][:, 0]
    assert rate[9] < rate[10] and longer.config.total_steps == 2400
    middle = tiny.hyperparams.learning_rate + 104.5 / 200 * (
        tiny.hyperparams.learning_rate_end - tiny.hyperparams.learning_rate
    )
    np.testing.assert_allclose(rate[10], middle, rtol=1e-4)
    with pytest.raises(
        ConfigError, match=r"total_steps is 1200 for a run of which 2400 are done; allowed are at least so many"
    ):
        resume(tmp_path / "run", total_steps=1200)


def test_checkpoints_are_kept_and_loaded_by_their_update(tiny, tmp_path):
    run = influence_jax.train(dataclasses.replace(tiny, keep=3, checkpoint_interval=2), out=tmp_path / "run")
    earlier = influence_jax.load(tmp_path / "run", update=80)
    assert earlier.update == 80 and earlier.metrics["update"][-1, 0] == 80
    assert int(earlier.state.update[0]) == 80 and int(run.state.update[0]) == 100
    with pytest.raises(ConfigError, match=r"update is 70; allowed: 60, 80, 100, which were saved and kept"):
        influence_jax.load(tmp_path / "run", update=70)


def test_a_run_begins_with_the_parameters_of_another(tiny, whole, tmp_path):
    config = dataclasses.replace(tiny, hyperparams=tiny.hyperparams.replace(learning_rate=0.0, learning_rate_end=0.0))
    run = influence_jax.train(config, out=tmp_path / "run", start_from=whole[1])
    jax.tree.map(np.testing.assert_array_equal, run.state.params, whole[0].state.params)
    part = json.loads((tmp_path / "run" / "run.json").read_text())[-1]
    assert part["start_from"] == {"directory": str(whole[1]), "update": 100} and part["from_update"] == 0
    other = dataclasses.replace(tiny, network=dataclasses.replace(tiny.network, lstm_size=4))
    with pytest.raises(ConfigError, match="start_from has networks of another shape"):
        influence_jax.train(other, start_from=whole[1])
    with pytest.raises(ConfigError, match="start_from has 2 members, this run 3; allowed: 1 or 3"):
        influence_jax.train(dataclasses.replace(tiny, seeds=3), start_from=whole[1])


def test_to_open_a_run_imports_nothing_of_others(tiny, tmp_path, monkeypatch):
    influence_jax.train(dataclasses.replace(tiny, total_steps=12), out=tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["env"]["name"] = "evil_module:Game"
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    (tmp_path / "evil_module.py").write_text("raise SystemExit('code of others was run')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match=r"names code outside of this package \(env.name 'evil_module:Game'\)"):
        influence_jax.load(tmp_path / "run")
    with pytest.raises(SystemExit, match="code of others"):
        influence_jax.load(tmp_path / "run", trust=True)
    config["env"]["name"] = "influence_jax.cli:main"
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="which is no environment"):
        influence_jax.load(tmp_path / "run")


def test_a_learner_with_parts_of_its_own(tiny, tmp_path):
    learner = dataclasses.replace(make_learner(tiny), optimizer=optax.identity())
    run = influence_jax.train(learner, total_steps=120, out=tmp_path / "run")
    assert json.loads((tmp_path / "run" / "config.json").read_text())["replaced"] == ["optimizer"]
    with pytest.raises(ConfigError, match=r"a run with parts of its own \(optimizer\); allowed is to give the learner"):
        influence_jax.load(tmp_path / "run")
    again = influence_jax.load(tmp_path / "run", learner=run.learner)
    assert_same(again.state, run.state)
