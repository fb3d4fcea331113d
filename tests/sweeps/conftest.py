"""Fixtures shared by tests of sweeps."""

import dataclasses

import pytest

import influence_jax

SPACE = {"grid": {"learning_rate": [1e-3, 3e-4], "network.critic": ["shared", "separate"]}}


@pytest.fixture
def storage(tmp_path):
    return f"sqlite:///{tmp_path}/study.db"


@pytest.fixture(scope="package")
def small(tiny):
    return dataclasses.replace(tiny, total_steps=480)


@pytest.fixture(scope="package")
def whole(small, tmp_path_factory):
    """An uninterrupted sweep and its directory."""
    out = tmp_path_factory.mktemp("sweep") / "whole"
    return influence_jax.sweep(small, **SPACE, out=out), out
