"""A directory with trials knows what was started in it, and continues it."""

import dataclasses

import pytest

import influence_jax
from influence_jax.config import ConfigError
from tests.runtime.runs import stop_at

RATES = {"learning_rate": [1e-3, 3e-4]}


@pytest.fixture(scope="module")
def single(small):
    return dataclasses.replace(small, seeds=1)


def test_a_stopped_sweep_becomes_the_one_that_was_not_stopped(single, tmp_path):
    whole = influence_jax.sweep(single, grid=RATES, out=tmp_path / "whole")
    stopped = influence_jax.sweep(single, grid=RATES, out=tmp_path / "x", callback=stop_at(3))
    assert not stopped.finished
    found = influence_jax.resume(tmp_path / "x")
    assert found.finished and found.space == whole.space and str(found.rows()) == str(whole.rows())


def test_a_shard_stays_one(single, tmp_path):
    four = RATES | {"discount": [0.9, 0.99]}
    begun = influence_jax.sweep(single, grid=four, shard=(1, 2), out=tmp_path / "x", callback=stop_at(3))
    found = influence_jax.resume(tmp_path / "x")
    assert not begun.finished and found.finished and [row["trial"] for row in found.rows()] == [2, 3]


def test_a_run(small, tmp_path):
    influence_jax.train(small, out=tmp_path / "x", callback=stop_at(3))
    assert influence_jax.resume(tmp_path / "x").update == 4


def test_what_is_no_way_to_go_on_is_refused(single, tmp_path):
    with pytest.raises(ConfigError, match=r"holds no run"):
        influence_jax.resume(tmp_path)
    influence_jax.sweep(single, grid=RATES, out=tmp_path / "x", callback=stop_at(3))
    with pytest.raises(ConfigError, match=r"learner is a Learner for .* holds a sweep; allowed: None"):
        influence_jax.resume(tmp_path / "x", learner=influence_jax.make_learner(single))
