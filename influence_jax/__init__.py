"""Sequential social dilemmas and social influence as intrinsic motivation, end to end on an accelerator.

The way in: ``presets.get`` gives an experiment, `train` runs it (with a `Progress` to watch), `evaluate` and
`render_episode` show what was learned, `intervene` checks models of others against the truth, `load` reads a run back.
`make` gives an environment alone, for programs of your own, to be compiled with `compiler_options`.
"""

from influence_jax import presets
from influence_jax.config import ConfigError, ExperimentConfig
from influence_jax.envs import make
from influence_jax.learner.evaluate import Evaluation, evaluate, play, render_episode
from influence_jax.learner.intervention import Interventions, intervene
from influence_jax.runtime.compilation import compiler_options, keep_compiled_programs
from influence_jax.runtime.progress import Progress
from influence_jax.runtime.run import LogPoint, Run, load, train

__version__ = "0.1.0"

__all__ = [
    "ConfigError",
    "Evaluation",
    "ExperimentConfig",
    "Interventions",
    "LogPoint",
    "Progress",
    "Run",
    "compiler_options",
    "evaluate",
    "intervene",
    "keep_compiled_programs",
    "load",
    "make",
    "play",
    "presets",
    "render_episode",
    "train",
]
