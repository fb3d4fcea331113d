# %% [markdown]
# # A sweep with figures
#
# Which learning rate, and how much entropy? Six settings with three seeds each, side by side in one program; which is best, and
# how much of that is luck. Takes about two minutes on two cores.

# %%
import dataclasses
import pathlib
import tempfile

import pandas

import influence_jax

STEPS = 100_000

# %% [markdown]
# ## The space
#
# We combine every learning rate of the grid with every draw of the entropy weight. Both are traced numbers, so everything is one
# program; settings that change shapes need one program each.

# %%
config = influence_jax.presets.get("harvest-a3c", profile="small")
config = dataclasses.replace(
    config,
    env=influence_jax.EnvConfig(
        "harvest",
        num_agents=2,
        horizon=100,
        view_radius=3,
        layout=("@@@@@@@@@@@", "@P  A   P @", "@  AAA  A @", "@   A  AAA@", "@P    P A @", "@@@@@@@@@@@"),
    ),
    network=dataclasses.replace(config.network, core_size=32),
    total_steps=STEPS,
    log_interval=10,
    seeds=3,
)
folder = pathlib.Path(tempfile.mkdtemp())  # a directory of yours, to keep it
found = influence_jax.sweep(
    config,
    grid={"learning_rate": [3e-4, 1e-3, 3e-3]},
    random={"entropy_coef": "log:1e-4:1e-2"},
    trials=2,
    out=folder / "sweep",
)
print(len(found.space.settings()), "settings,", len(found.programs), "program,", found.runs)

# %% [markdown]
# ## The best
#
# Ranked by the mean over seeds at the end of the run, with the standard deviation over seeds.

# %%
pandas.DataFrame(found.best(6)).round(5)

# %% [markdown]
# ## Curves
#
# A thin line for each seed of the best three settings, and a thick one for their mean.

# %%
influence_jax.plot_learning_curves(found.curves(3), ["collective_return", "entropy"])

# %% [markdown]
# ## Everything as a table
#
# One row for each setting, seed and log point. Here is how agents unlearn firing, by learning rate.

# %%
table = found.table()
print(len(table), "rows,", len(table.columns), "columns")
fires = table.pivot_table(index="env_steps", columns="learning_rate", values="fires")
fires.iloc[:: max(1, len(fires) // 6)].round(1)

# %% [markdown]
# ## Is the difference real?
#
# Each setting is compared with the first, the best: means with intervals, a permutation test over seeds, and effect sizes. Three
# seeds against three cannot give a p below 2/20 = .1, so this only shows which settings are far off.

# %%
comparison = influence_jax.compare(found.curves(6))
comparison.table()[["mean", "low", "high", "difference", "difference_low", "difference_high", "p", "improves"]].round(2)

# %%
influence_jax.plot_comparison(comparison)

# %% [markdown]
# At the lowest learning rate the two entropy weights differ in return by less than seeds do. The policies' entropies by seed show
# whether the weight had any effect: in each of the three, the larger weight leaves more entropy, by a few hundredths of a nat.
# (Pooling both weights as if they were six seeds would count the same seeds twice.)

# %%
slow = table[table["learning_rate"] == 3e-4].groupby(["seed", "trial"]).entropy.last().unstack()
slow.map("{:.8f}".format)

# %% [markdown]
# ## The best of many is lucky
#
# The best setting was chosen on the same seeds that its score is from. `held_out` is the score, on the third seed, of the setting
# that the other two choose; `null_mean` is the score of the best of as many settings if settings did not matter.

# %%
rows = pandas.DataFrame(found.rows())
scores = rows.pivot(index="trial", columns="seed", values="collective_return").to_numpy()
influence_jax.analysis.top_settings(scores, k=1)

# %% [markdown]
# `influence_jax.load` reads a sweep back with all its runs:

# %%
influence_jax.load(folder / "sweep").best(1)
