"""Every array has an explicit dtype, so that nothing changes when JAX uses 64 bits."""

import os
import subprocess
import sys

import pytest

from tests.conftest import quickly

PROGRAM = """
import dataclasses, jax, jax.numpy as jnp
from influence_jax import presets
from influence_jax.config import EnvConfig, NetworkConfig
from influence_jax.evaluation.episodes import _episodes
from influence_jax.learner.learner import make_learner
from influence_jax.runtime import population

for name, profile in PRESETS:
    config = presets.get(name, profile)
    config = dataclasses.replace(
        config,
        env=dataclasses.replace(config.env, view_radius=1, horizon=6),
        network=NetworkConfig(conv_channels=2, hidden_size=4, core_size=4, message_embedding=config.network.message_embedding),
        learner=dataclasses.replace(config.learner, num_envs=8, rollout_length=3, shaper="inequity_averse"),
        log_interval=2,
    )
    learner = make_learner(config)
    state = jax.eval_shape(lambda: population.init_population(learner))
    trained = population.compile_chunk(learner).lower(state, jax.ShapeDtypeStruct((), jnp.float32)).out_info
    played = jax.eval_shape(lambda state: _episodes(learner, 2, state.member, jax.random.key(0)), state)
    wide = {str(x.dtype) for x in jax.tree.leaves((trained, played)) if getattr(x.dtype, "itemsize", 4) > 4}
    assert not {kind for kind in wide if not kind.startswith("key")}, (name, wide)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "presets",
    [
        [("cleanup-moa", "large")],
        [("harvest-basic", "paper")],
        [("harvest-communication", "paper"), ("box-trapped-basic", None), ("cleanup-basic", "small")],
    ],
    ids=["a model of others", "basic", "all others"],
)
def test_64_bits_change_nothing(presets):
    environment = os.environ | quickly() | {"JAX_ENABLE_X64": "1"}
    program = PROGRAM.replace("PRESETS", repr(presets))
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, close_fds=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
