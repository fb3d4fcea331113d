"""What is saved comes back bit for bit, by the updates done."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

import influence_jax
from influence_jax.config import ConfigError, ExperimentConfig, Hyperparams, declared
from influence_jax.learner.state import Member
from influence_jax.runtime.checkpoint import CHECKSUMS, UNSEALED, Checkpoints, DamagedCheckpoint
from tests.runtime.runs import assert_same


def test_checkpoints_are_kept_and_loaded_by_their_update(tiny, tmp_path):
    run = influence_jax.train(dataclasses.replace(tiny, keep=3, checkpoint_interval=2), out=tmp_path / "run")
    earlier = influence_jax.load(tmp_path / "run", update=80)
    assert earlier.update == 80 and earlier.metrics["update"][-1, 0] == 80
    assert int(earlier.state.update[0]) == 80 and int(run.state.update[0]) == 100
    with pytest.raises(ConfigError, match=r"update is 70; allowed: 60, 80, 100, which were saved and kept"):
        influence_jax.load(tmp_path / "run", update=70)


def test_a_state_comes_back_bit_for_bit(tmp_path):
    """Random keys, which are of a type of their own, included; of three the newest two are kept."""
    state = {"x": jnp.array([1 / 3, 2.0]), "n": jnp.int32(7), "key": jax.random.key(5)}
    checkpoints = Checkpoints(tmp_path, keep=2)
    assert checkpoints.updates() == [] and checkpoints.restore_newest(jax.eval_shape(lambda: state)) is None
    for update in (10, 20, 30):
        checkpoints.save(state | {"n": jnp.int32(update)}, update)
    checkpoints.finish()
    assert checkpoints.updates() == [20, 30]
    like = jax.eval_shape(lambda: state)
    for update in (20, 30):
        assert_same(checkpoints.restore(like, update), state | {"n": jnp.int32(update)})
    checkpoints.close()


def test_a_setting_that_came_later_had_its_default(tmp_path):
    """Runs that were recorded before there was the setting can still be read."""
    state, before = {"x": jnp.arange(3.0)}, {"learner.num_envs": 8}
    checkpoints = Checkpoints(tmp_path, settings=before)
    checkpoints.save(state, 10)
    checkpoints.close()
    like, later = jax.eval_shape(lambda: state), before | {"learner.share_parameters": False}
    assert_same(Checkpoints(tmp_path, settings=later).restore(like, 10), state)
    with pytest.raises(ConfigError, match=r"learner.share_parameters is True, was False; allowed"):
        Checkpoints(tmp_path, settings=later | {"learner.share_parameters": True}).restore(like, 10)


def test_a_hyperparameter_that_came_later_had_its_default(tmp_path):
    """It is in no file of the checkpoint."""
    now = Member(params={}, env_params={}, hyperparams=Hyperparams())
    now = jax.tree.map(lambda x: jnp.full((2, 3), x, jnp.float32), now)
    settings = {path: value for path, _, value in declared(ExperimentConfig()) if path.startswith("hyperparams.")}
    before = {path: value for path, value in settings.items() if path != "hyperparams.discount"}
    checkpoints = Checkpoints(tmp_path, settings=before)
    checkpoints.save(now.replace(hyperparams={n: x for n, x in vars(now.hyperparams).items() if n != "discount"}), 10)
    checkpoints.close()
    like = jax.eval_shape(lambda: now)
    assert_same(Checkpoints(tmp_path, settings=settings).restore(like, 10), now)
    with pytest.raises(ConfigError, match=r"hyperparams.discount is 0.5, was 0.99; allowed"):
        Checkpoints(tmp_path, settings=settings | {"hyperparams.discount": 0.5}).restore(like, 10)


def test_checksums_are_there_as_soon_as_a_checkpoint_is(tmp_path):
    """The order of writing guarantees this, whenever the process is killed."""
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save({"x": jnp.float32(1)}, 10, failed=[3])
    checkpoints._saver.wait_until_finished()
    assert (tmp_path / "checkpoints" / "10" / CHECKSUMS).exists() and checkpoints.notes(10)["failed"] == [3]
    checkpoints.close()


def damaged(data):
    """Ways in which a file may differ from what was written; None stands for a missing file."""
    return {"deleted": None, "empty": b"", "half": data[: len(data) // 2], "garbled": bytes(255 - x for x in data)}


def test_whatever_file_is_damaged_the_checkpoint_before_is_used(tmp_path):
    state = {"x": jnp.arange(1000, dtype=jnp.float32), "key": jax.random.key(5)}
    checkpoints = Checkpoints(tmp_path)
    for update in (10, 20):
        checkpoints.save(state | {"x": state["x"] + update}, update)
    checkpoints.close()
    like, tried = jax.eval_shape(lambda: state), 0
    for path in sorted((tmp_path / "checkpoints" / "20").rglob("*")):
        if path.is_dir() or path.name in UNSEALED:  # in which no number is
            continue
        data = path.read_bytes()
        for way, garbage in damaged(data).items():
            path.unlink(missing_ok=True)
            if garbage is not None:
                path.write_bytes(garbage)
            with pytest.warns(UserWarning, match=r"checkpoints/20' is damaged .*; the one before is used"):
                restored, update = Checkpoints(tmp_path).restore_newest(like)
            assert update == 10 and restored["x"][0] == 10
            tried += 1
        path.write_bytes(data)
    assert tried > 30
    for name in UNSEALED:
        (tmp_path / "checkpoints" / "20" / name).write_text("garbled")
    assert Checkpoints(tmp_path).restore_newest(like)[1] == 20


def test_empty_and_stray_directories(tmp_path):
    state = {"x": jnp.float32(1)}
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(state, 10)
    checkpoints.finish()
    for name in ("20", "nonsense", "30.orbax-checkpoint-tmp"):
        (tmp_path / "checkpoints" / name).mkdir()
    for name in ("007", "\uff19", "-5"):
        (tmp_path / "checkpoints" / name).mkdir()
    (tmp_path / "checkpoints" / "40").write_text("a file")
    assert checkpoints.updates() == [10, 20, 40]
    like = jax.eval_shape(lambda: state)
    with pytest.warns(UserWarning, match="is damaged"):
        assert checkpoints.restore_newest(like)[1] == 10
    checkpoints.set_aside(after=10)
    assert checkpoints.updates() == [10]
    assert sorted(path.name for path in (tmp_path / "damaged").iterdir()) == ["20.0", "40.0"]
    (tmp_path / "checkpoints" / "10" / "_METADATA").write_text("{")
    with pytest.raises(DamagedCheckpoint, match="_METADATA is not as it was written"):
        checkpoints.restore(like, 10)
    with pytest.warns(UserWarning), pytest.raises(ConfigError, match=r"no checkpoint can be read: .*10' is damaged"):
        checkpoints.restore_newest(like)


def test_what_cannot_be_written_is_an_error_of_the_disk(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    (tmp_path / "checkpoints").write_text("in the way")
    with pytest.raises(OSError):
        checkpoints.save({"x": jnp.float32(1)}, 10)
        checkpoints.finish()


def test_what_cannot_be_read_or_moved_is_a_sentence(tmp_path):
    """If the checkpoints cannot be listed, training must not restart as if there were none."""
    (tmp_path / "checkpoints").write_text("a file")
    with pytest.raises(ConfigError, match=r"checkpoints '.*' cannot be read: .*; allowed: what `train` writes\."):
        Checkpoints(tmp_path).updates()
    (tmp_path / "checkpoints").unlink()
    (tmp_path / "checkpoints" / "20").mkdir(parents=True)
    (tmp_path / "damaged").write_text("in the way")
    with pytest.raises(ConfigError, match=r"cannot be moved to '.*damaged': .*; allowed: a directory\."):
        Checkpoints(tmp_path).set_aside(after=10)
