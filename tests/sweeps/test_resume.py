"""A directory of trials knows what was begun in it, and goes on."""

import pytest

import influence_jax
from influence_jax.config import ConfigError
from influence_jax.sweeps.resume import resume
from tests.learner.worlds import probe_config
from tests.runtime.runs import stop_at

RATES = {"learning_rate": [1e-3, 3e-4]}


@pytest.fixture(scope="module")
def config():
    return probe_config(model="independent", total_steps=120, log_interval=1)


def test_a_stopped_sweep_becomes_the_one_that_was_not_stopped(config, tmp_path):
    whole = influence_jax.sweep(config, grid=RATES, out=tmp_path / "whole")
    stopped = influence_jax.sweep(config, grid=RATES, out=tmp_path / "x", callback=stop_at(3))
    assert not stopped.finished
    found = resume(tmp_path / "x")
    assert found.finished and found.space == whole.space and str(found.rows()) == str(whole.rows())


def test_a_shard_stays_one(config, tmp_path):
    four = RATES | {"discount": [0.9, 0.99]}
    begun = influence_jax.sweep(config, grid=four, shard=(1, 2), out=tmp_path / "x", callback=stop_at(3))
    found = resume(tmp_path / "x")
    assert not begun.finished and found.finished and [row["trial"] for row in found.rows()] == [2, 3]


def test_where_nothing_was_begun(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no sweep; allowed is a directory that `sweep` wrote"):
        resume(tmp_path)
