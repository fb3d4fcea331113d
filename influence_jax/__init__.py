"""Sequential social dilemmas and social influence as intrinsic motivation, end to end on an accelerator.

The way in: ``presets.get`` gives an experiment, `train` runs it (with a `Progress` to watch, and with `grid` for many settings
in one program), `evaluate` says what was learned, `intervene` checks models of others against the truth, `load` reads a run back,
`compare` and ``plot_...`` make tables and figures of runs (`influence_jax.analysis` has the rest).
`Run.trace` shows an episode in full (its video, its table, its strongest moments of influence), `Run.policy` what agents would do
at any state, and `play` seats agents of several runs at one game. `make_learner` gives the parts of an experiment, each of which
may be replaced by one of your own, and `init` and `train_step` its training as pure functions, for a loop of your own. `make`
gives an environment alone. Compile programs of your own with `compiler_options`.
"""

import lazy_loader

__version__ = "0.2.0.dev0"

# What is asked for is imported; all at once would take seconds, which the command line should not wait for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
