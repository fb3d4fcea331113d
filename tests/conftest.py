"""What all tests share."""

import dataclasses

import jax
import pytest

from influence_jax import presets
from influence_jax.config import EnvConfig, LearnerConfig, NetworkConfig


def pytest_configure(config):
    """Keep compiled programs between tests and between runs: compiling is most of what the tests would wait for."""
    jax.config.update("jax_compilation_cache_dir", str(config.cache.mkdir("jax")))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)


@pytest.fixture(scope="session")
def tiny():
    """A whole experiment in a second or two: two MOA agents on a small Harvest, two members, 100 updates."""
    return dataclasses.replace(
        presets.get("harvest-moa", profile="small"),
        env=EnvConfig(name="harvest", num_agents=2, horizon=20, layout=TINY_MAP, view_radius=2),
        network=NetworkConfig(conv_channels=2, hidden_size=8, lstm_size=8),
        learner=LearnerConfig(num_envs=3, rollout_length=4, optimizer="adam", reward_scaling="running_std"),
        total_steps=3 * 4 * 100,
        seeds=2,
        log_interval=10,
        checkpoint_interval=4,
    )


TINY_MAP = (
    "@@@@@@@@@",
    "@P AA  P@",
    "@  AAA  @",
    "@P  A  P@",
    "@@@@@@@@@",
)
