# %% [markdown]
# # Real and modelled influence
#
# An agent that is rewarded for influence asks its own *model* of the other agent: what would you do next if I had acted
# differently? The game itself can answer this, too: replay the step with the other action and the same random draws, and
# evaluate the other agent's policy. This notebook compares both answers, in a game in which one agent must watch the other, and
# in Harvest. Takes about two minutes on two cores.

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
# In the first, agent 1 sees the previous action of agent 0 and is rewarded for repeating it. The game never rewards agent 0. In
# Harvest, an agent's next action hardly depends on the others.


# %%
class Follow(Cue):
    """Agent 1 sees agent 0's last action and is rewarded for repeating it."""

    def dynamics(self, state, actions, noise, params):
        """Reward agent 1, and show it the next action."""
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
# We compare its cross-entropy with that of a guess from the other agent's action frequencies. A model that is no better than
# counting cannot know the effect of its own actions.

# %%
shown = ["seed", "entropy", "moa_cross_entropy", "moa_marginal_cross_entropy", "influence"]
pandas.concat({name: run.table().groupby("member").tail(1)[shown] for name, run in runs.items()}).round(6)

# %% [markdown]
# ## One episode, both ways
#
# `trace.influence[t, k, j]` is the influence of k's action at t on j according to k's model, `trace.real_influence[t, k, j]` is
# the real one, both in nats. Mind the axes.

# %%
traces = {name: run.trace(member=0, seed=1, real=True) for name, run in runs.items()}
figure, axes = plt.subplots(1, 2, figsize=(10, 3.3), layout="constrained")
for axis, (name, trace) in zip(axes, traces.items(), strict=True):
    axis.plot(trace.real_influence[:, 0, 1], color="black", linewidth=0.9, label="real")
    axis.plot(trace.influence[:, 0, 1], color="#d55e00", linestyle="--", linewidth=0.9, label="believed by agent 0")
    axis.set(title=name, xlabel="step of the episode", ylabel="influence of agent 0 on 1 (nats)")
_ = figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)

# %% [markdown]
# ## Over many moments
#
# `intervene` does the same at moments of many episodes. The null is the correlation after permuting the moments; only what lies
# above it counts. We look at each direction separately, because who influences whom is easy to know.

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
# With two seeds per game, we see the following. In "follow", the models know *who* influences whom, by seven orders of magnitude,
# *how much*, to within a percent, and *when*, with a correlation above .9. In the other direction there is nothing to know: both
# are below 1e-7 nats, whatever their correlation. In Harvest the models are no better than counting. Real influence is at most
# 2e-3 nats, of which they believe in a thousandth, and in two of the four rows the two do not go together more than by chance.
