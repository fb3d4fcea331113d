"""What the tests of the benchmarks share."""

import jax
import pytest


@pytest.fixture
def compile_fully(compile_quickly):
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", True)
