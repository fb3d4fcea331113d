# %% [markdown]
# # First agents
#
# Two agents learn on a small Harvest. We look at what they learned in curves, in numbers, in a video, and at a single moment.
# Takes two or three minutes on two cores.

# %%
import dataclasses

import jax

import influence_jax

STEPS = 400_000

# %% [markdown]
# ## An experiment
#
# A preset is an experiment of the paper, and `profile="small"` sets a learner for a CPU. We use a map of our own: agents may
# start at `P`, and apples grow at `A`. Each agent learns to predict the other and is rewarded for its influence on it.

# %%
config = influence_jax.presets.get("harvest-moa", profile="small")
config = dataclasses.replace(
    config,
    env=influence_jax.EnvConfig(
        "harvest",
        num_agents=2,
        horizon=200,
        view_radius=3,
        layout=("@@@@@@@@@@@", "@P  A   P @", "@  AAA  A @", "@   A  AAA@", "@P    P A @", "@@@@@@@@@@@"),
    ),
    network=dataclasses.replace(config.network, core_size=32),
    log_interval=10,
)
run = influence_jax.train(config, seeds=2, total_steps=STEPS)
run

# %% [markdown]
# ## Curves
#
# A thin line for each seed and a thick one for their mean. The agents first stop shooting each other. Then they eat: the ten
# apples are soon gone, and hardly any grows back where none is left, which is the dilemma of this game.

# %%
influence_jax.plot_learning_curves(run, ["collective_return", "entropy", "influence"])

# %% [markdown]
# ## Numbers
#
# One row for each seed and log point. The last ones:

# %%
shown = ["seed", "env_steps", "collective_return", "equality", "apples", "fires", "entropy", "influence"]
run.table().groupby("member").tail(1)[shown].round(6)

# %% [markdown]
# Means over twenty whole episodes with the trained agents, one row for each seed:

# %%
run.evaluate(20)

# %% [markdown]
# ## One episode

# %%
trace = run.trace(member=0, seed=1)
trace

# %%
trace.frame(20, views=[0], scale=40)

# %%
trace.video(stop=60, scale=20)

# %% [markdown]
# The same in numbers, one row for each step and agent:

# %%
trace.table()[["step", "agent", "action", "reward", "value", "entropy", "influence"]].head(6).round(6)

# %% [markdown]
# ## One moment
#
# What both agents would do in the state of that image, if an episode started there:

# %%
state = jax.tree.map(lambda x: x[20], trace.states)
run.policy(0).at(state)
