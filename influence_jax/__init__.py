"""Sequential social dilemmas and social influence as intrinsic motivation, end to end on an accelerator.

The way in: ``presets.get`` gives an experiment, `train` runs it, `evaluate` and `play` look at what was learned, `load` reads a
run back. `make` gives an environment alone.
"""

from influence_jax import presets
from influence_jax.config import ConfigError, ExperimentConfig
from influence_jax.envs import make
from influence_jax.learner.evaluate import Evaluation, evaluate, play
from influence_jax.runtime.run import LogPoint, Run, load, train

__version__ = "0.1.0"

__all__ = [
    "ConfigError",
    "Evaluation",
    "ExperimentConfig",
    "LogPoint",
    "Run",
    "evaluate",
    "load",
    "make",
    "play",
    "presets",
    "train",
]
