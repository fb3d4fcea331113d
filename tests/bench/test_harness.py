"""From timings to figures."""

import jax
import jax.numpy as jnp

import influence_jax
from influence_jax.bench import harness


def test_median_ignores_a_slow_call():
    timing = harness.Timing(harness.Workload("x", lambda: None, 100), [0.1, 0.1, 5.0])
    row = timing.row()
    assert row["median_env_steps_per_second"] == 1000 and row["slowest_env_steps_per_second"] == 20


def test_fraction_of_the_limit_is_by_turn():
    timing = harness.Timing(harness.Workload("x", lambda: None, 10), [1.0, 4.0, 1.0])
    assert timing.against("y", [0.05, 0.2, 0.05]).fraction_of_limit == 0.5


def test_what_is_shared_is_counted_once():
    compiled = jax.jit(lambda x: x + 1, donate_argnums=0).lower(jnp.zeros(1000)).compile()
    assert 4000 <= harness.peak_bytes(compiled) < 5000


def test_the_commit_of_an_installed_package_is_its_version(monkeypatch, tmp_path):
    monkeypatch.setattr(harness, "ROOT", tmp_path)
    assert harness.stamp()["commit"] == f"version {influence_jax.__version__}"
