"""What is saved comes back bit for bit, by the updates done."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

import influence_jax
from influence_jax.config import ConfigError
from influence_jax.runtime.checkpoint import Checkpoints
from tests.runtime.runs import assert_same

pytestmark = pytest.mark.usefixtures("compile_quickly")


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
    assert checkpoints.latest() is None and checkpoints.updates() == []
    for update in (10, 20, 30):
        checkpoints.save(state | {"n": jnp.int32(update)}, update)
    assert checkpoints.latest() == 30 and checkpoints.updates() == [20, 30]
    like = jax.eval_shape(lambda: state)
    for update in (20, 30):
        assert_same(checkpoints.restore(like, update), state | {"n": jnp.int32(update)})
    checkpoints.close()
