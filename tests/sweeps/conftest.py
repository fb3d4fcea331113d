"""Fixtures shared by tests of sweeps."""

import pytest

import influence_jax
from tests.learner.worlds import probe_config

SPACE = {"grid": {"learning_rate": [1e-3, 3e-4], "network.critic": ["shared", "separate"]}}


@pytest.fixture
def storage(tmp_path):
    return f"sqlite:///{tmp_path}/study.db"


@pytest.fixture(scope="session")
def small():
    """Four updates, each a log point. All sweeps are of this game with two or four members, so that they share programs."""
    return probe_config(model="independent", seeds=2, total_steps=80, log_interval=1, checkpoint_interval=4)


@pytest.fixture(scope="session")
def whole(small, tmp_path_factory):
    """An uninterrupted sweep and its directory."""
    out = tmp_path_factory.mktemp("sweep") / "whole"
    return influence_jax.sweep(small, **SPACE, out=out), out
