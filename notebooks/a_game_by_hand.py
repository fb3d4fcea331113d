# %% [markdown]
# # A game by hand
#
# All randomness of a step is in its noise; everything else is a function of state and actions. So the same step can be
# replayed with another action of one agent and the same random draws: a counterfactual. Nothing is trained here; it takes
# seconds.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import influence_jax

# %% [markdown]
# ## A small Harvest
#
# `P` is where agents may start, `A` where apples grow.

# %%
env = influence_jax.make(
    "harvest",
    num_agents=2,
    horizon=200,
    view_radius=2,
    layout=("@@@@@@@@@", "@P AA  P@", "@  AAA  @", "@P  A  P@", "@@@@@@@@@"),
)
params = env.default_params
print(params)
print(dict(enumerate(env.spec.action_names)))

# %%
state, timestep = env.reset(jax.random.key(0), params)
print("positions", state.position.tolist(), "headings", state.heading.tolist())
print("who sees whom", timestep.visible.tolist(), "observation", timestep.observation.shape)

# %% [markdown]
# ## Noise, then a transition
#
# `step` is `transition` with freshly sampled noise. The same noise and the same actions give the same result, bit for bit.

# %%
noise = env.sample_noise(jax.random.key(1), params)
transition = jax.jit(env.transition)
stay = env.spec.action_names.index("stay")
after, timestep = transition(state, jnp.array([stay, stay]), noise, params)
again, _ = transition(state, jnp.array([stay, stay]), noise, params)
assert all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(after), jax.tree.leaves(again), strict=True))
print("reward", timestep.reward.tolist(), "apples", int(after.apples.sum()))

# %% [markdown]
# ## Counterfactuals
#
# What if agent 0 had done something else? One line for each of its actions, everything else unchanged.


# %%
def world(action):
    """Return the state and the reward if agent 0 does ``action`` and agent 1 stays."""
    then, timestep = transition(state, jnp.array([action, stay]), noise, params)
    return then, timestep.reward


for action, name in enumerate(env.spec.action_names):
    then, reward = world(action)
    print(f"{name:>21}: position {then.position[0].tolist()}, heading {int(then.heading[0])}, reward {reward.tolist()}")

# %% [markdown]
# Since it is a pure function, vmap computes all of them in one call:

# %%
actions = jnp.stack([jnp.arange(env.spec.num_actions), jnp.full(env.spec.num_actions, stay)], axis=1)
states, _ = jax.vmap(env.transition, in_axes=(None, 0, None, None))(state, actions, noise, params)
print("positions of agent 0", states.position[:, 0].tolist())

# %% [markdown]
# ## Two outcomes side by side

# %%
forward = env.spec.action_names.index("forward")
figure, axes = plt.subplots(1, 2, figsize=(8, 2.6), layout="constrained")
for axis, action in zip(axes, (stay, forward), strict=True):
    axis.imshow(env.render(world(action)[0]))
    axis.set_title(f"agent 0: {env.spec.action_names[action]}")
    axis.axis("off")

# %% [markdown]
# ## A whole episode with your own players

# %%
total = np.zeros(env.spec.num_agents)
step = jax.jit(env.step)
for t in range(env.spec.horizon):
    key = jax.random.fold_in(jax.random.key(3), t)
    actions = jax.random.randint(key, (2,), 0, 7)  # anything but a shot
    state, timestep = step(jax.random.fold_in(key, 1), state, actions, params)
    total += np.asarray(timestep.reward)
print("returns", total.tolist(), "truncated", bool(timestep.truncated))
