# %% [markdown]
# # Real and modelled influence
#
# An agent that is paid for its influence on another asks its own *model* of the other: what would it do next, had I
# done something else? The game can answer that too: the same step is taken again, by the same chance, with the other
# action, and the other agent is asked itself. Here both are held against one another, in a game in which one must watch the
# other, and in Harvest. Some two minutes on two cores.

# %%
import dataclasses
import itertools

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pandas

import influence_jax
from influence_jax.envs.probes import Cue, ProbeState

STEPS = 200_000

# %% [markdown]
# ## Two games
#
# In the first, agent 1 is paid for doing what agent 0 did in the step before, which it is shown. Agent 0 is paid nothing
# by the game. In Harvest others matter little to what one does next.


# %%
class Follow(Cue):
    """Agent 1 is shown what agent 0 did last, and is paid for doing so too."""

    def dynamics(self, state, actions, noise, params):
        """Pay agent 1, and show it the next action."""
        right = (actions == state.cue) & jnp.array([False, True])
        return ProbeState(cue=noise.at[1].set(actions[0]), time=state.time + 1), *self._outcome(right, params)


layout = ("@@@@@@@@@@@", "@P  A   P @", "@  AAA  A @", "@   A  AAA@", "@P    P A @", "@@@@@@@@@@@")
games = {
    "follow": influence_jax.EnvConfig("__main__:Follow", horizon=20),
    "harvest": influence_jax.EnvConfig("harvest", num_agents=2, horizon=200, view_radius=3, layout=layout),
}
small = influence_jax.presets.get("harvest-moa", profile="small")
small = dataclasses.replace(small, network=dataclasses.replace(small.network, core_size=32), log_interval=10)
runs = {
    name: influence_jax.train(dataclasses.replace(small, env=game), seeds=2, total_steps=STEPS)
    for name, game in games.items()
}
runs

# %% [markdown]
# ## Is the model any good?
#
# Its cross-entropy beside that of a rival who guesses by how often the other does what. A model that is no better than
# counting cannot know what its own actions change.

# %%
shown = ["seed", "entropy", "moa_cross_entropy", "moa_marginal_cross_entropy", "influence"]
pandas.concat({name: run.table().groupby("member").tail(1)[shown] for name, run in runs.items()}).round(6)

# %% [markdown]
# ## One episode, both ways
#
# `trace.influence[t, k, j]` is what k believes to have done to j by its action at t, `trace.real_influence[t, k, j]` what it did,
# both in nats. Mind the axes.

# %%
traces = {name: run.trace(member=0, seed=1, real=True) for name, run in runs.items()}
figure, axes = plt.subplots(1, 2, figsize=(10, 3.3), layout="constrained")
for axis, (name, trace) in zip(axes, traces.items(), strict=True):
    axis.plot(trace.real_influence[:, 0, 1], color="black", linewidth=0.9, label="real")
    axis.plot(trace.influence[:, 0, 1], color="#d55e00", linestyle="--", linewidth=0.9, label="believed by agent 0")
    axis.set(title=name, xlabel="step of the episode", ylabel="influence of agent 0 on 1 (nats)")
_ = axes[0].legend(fontsize="small")

# %% [markdown]
# ## Over many moments
#
# `intervene` does the same at moments of many episodes. What chance alone would give is the correlation after the
# moments were exchanged; what counts as seen is what lies above that. Each
# direction by itself, since who influences whom is known easily.

# %%
rng = np.random.default_rng(0)
rows = []
for name, run in runs.items():
    found = influence_jax.intervene(run.learner, run.state, 256)
    for member, (k, j) in itertools.product(range(2), ((0, 1), (1, 0))):
        counted = found.counted[member, :, k, j]
        believed, real = (x[member, counted, k, j] for x in (found.estimated, found.real))
        null = [np.corrcoef(rng.permutation(believed), real)[0, 1] for _ in range(200)]
        rows.append(
            {
                "game": name,
                "seed": member,
                "influence": f"{k} on {j}",
                "pairs": counted.sum(),
                "believed": believed.mean(),
                "real": real.mean(),
                "correlation": np.corrcoef(believed, real)[0, 1],
                "by chance, 97.5 %": np.quantile(null, 0.975),
            }
        )
pandas.DataFrame(rows)

# %% [markdown]
# What is seen at this size, two seeds a game: in "follow" the models know *who* influences whom, by six orders of magnitude,
# but believe in a sixth to a half of the real influence, and *when* they have it backwards: a rare action moves the other
# most, and is what the model has seen least. Pooled over both directions the correlation would be high all the same. In
# Harvest there is next to no influence, real or believed, the models are no better than counting, and the two have
# nothing to do with one another.
