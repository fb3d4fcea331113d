"""A run without interruption."""

import pytest

import influence_jax


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """A run without interruption, and its directory."""
    out = tmp_path_factory.mktemp("whole") / "run"
    return influence_jax.train(tiny, out=out), out
