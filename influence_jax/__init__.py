"""Sequential social dilemmas and social influence as intrinsic motivation, end to end on an accelerator.

Train and look: ``presets.get`` returns an experiment and `train` runs it, with `Progress` to watch it and `grid` to train many
settings in one program. `load` reads a run back, `evaluate` plays whole episodes, and `intervene` compares models of others
with the truth. `compare` and ``plot_...`` make tables and figures; `influence_jax.analysis` has everything else.

Look closer: `Run.trace` records an episode in full, with its video, its table and its strongest moments of influence.
`Run.policy` returns what agents would do at any state, and `play` seats agents of several runs in one game.

Build your own: `make` returns an environment, `make_learner` the parts of an experiment, any of which you may replace, and
`init` and `train_step` are its training as pure functions, for a loop of your own. Compile your own programs with
`compiler_options`.
"""

import lazy_loader

__version__ = "0.2.0.dev0"

# Names are imported on first use; importing all of them would delay the command line by seconds.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
