# %% [markdown]
# # Your own game, measure and shaper
#
# A game in which one agent can only signal and the other only follow, a measure of influence and a reward shaper, all
# written here and none of it in the package. Some two minutes on two cores; [docs/extending.md](../docs/extending.md) has
# the other parts that can be replaced.

# %%
import dataclasses

import jax
import jax.numpy as jnp
from flax import struct

import influence_jax
from influence_jax.config import EnvConfig, NetworkConfig
from influence_jax.envs.base import Environment
from influence_jax.rewards import stateless
from influence_jax.settings import integer, value
from influence_jax.types import EnvSpec

STEPS = 200_000

# %% [markdown]
# ## A game
#
# Agent 0 raises a flag or does not, at the price of a toll. Agent 1 sees the flag of the step before and is paid for
# answering to it. Nothing of that is paid to agent 0: why should it ever raise one?


# %%
@struct.dataclass
class Numbers:
    """The environment parameters; they are settings, and may differ between the members of a program."""

    toll: jax.Array = value(0, 10, "Price of raising a flag.")


@struct.dataclass
class State:
    """One game."""

    flag: jax.Array  # i32[], 0 for none
    time: jax.Array  # i32[], steps taken


@dataclasses.dataclass(frozen=True)
class Flags(Environment):
    """Agent 0 raises flags, and agent 1 is paid for following them."""

    horizon: int = integer(20, 1, "Environment steps per episode.")

    @property
    def spec(self):
        """The static facts."""
        return EnvSpec(
            num_agents=2,
            num_actions=3,
            action_names=("none", "red", "blue"),
            observation_shape=(3, 3, 3),
            horizon=self.horizon,
            metric_names=("flags", "followed"),
        )

    @property
    def default_params(self):
        """A toll of a tenth."""
        return Numbers(toll=jnp.float32(0.1))

    def initial_state(self, key, params):
        """Begin without a flag."""
        return State(flag=jnp.zeros((), jnp.int32), time=jnp.zeros((), jnp.int32))

    def sample_noise(self, key, params):
        """Leave nothing to chance."""
        return ()

    def dynamics(self, state, actions, noise, params):
        """Raise a flag, and pay who followed the last one."""
        raised = jnp.array([1.0, 0.0], jnp.float32) * (actions > 0)
        followed = jnp.array([0.0, 1.0], jnp.float32) * (actions[1] == state.flag)
        reward = followed - params.toll * raised
        metrics = {"flags": raised, "followed": followed}
        return State(flag=actions[0], time=state.time + 1), reward, jnp.ones((), jnp.float32), metrics

    def observe(self, state):
        """Show both agents the flag as a white row; both see one another."""
        rows = jnp.arange(3, dtype=jnp.int32)[:, None, None] == state.flag
        return jnp.broadcast_to(jnp.where(rows, 255, 0).astype(jnp.uint8), (2, 3, 3, 3)), ~jnp.eye(2, dtype=bool)


# %% [markdown]
# Before anything is trained, a few steps by hand:

# %%
game = Flags()
state, timestep = game.reset(jax.random.key(0), game.default_params)
for actions in ([1, 0], [2, 1], [0, 0]):
    state, timestep = game.step(jax.random.key(1), state, jnp.array(actions), game.default_params)
    print([game.spec.action_names[a] for a in actions], "flag", int(state.flag), "rewards", timestep.reward.tolist())

# %% [markdown]
# ## A measure of influence, and a shaper
#
# A measure compares what the other does (`factual`) with the average over all that one might have done (`marginal`), both as
# natural-log probabilities. This one is the total variation: the probability that is moved, between 0 and 1. The shaper
# gives each agent a tip from what the other is paid.


# %%
def total_variation(factual, marginal, realised, axis=-1):
    """Return half the summed difference of the probabilities."""
    return 0.5 * jnp.abs(jnp.exp(factual) - jnp.exp(marginal)).sum(axis=axis)


def tips(reward, hparams):
    """Return ``f32[T,E,N]``: one's own reward, and a fifth of those of all others."""
    return reward + 0.2 * (reward.sum(axis=-1, keepdims=True) - reward)


tipped = stateless(tips)

# %% [markdown]
# ## What a setting needs
#
# A setting names code as `"module:name"`. In a notebook the module is `__main__`, which is fine as long as the notebook is
# open, and of no use to whoever finds the run later: for that, move the cells to a file, say `my_lab/flags.py`, and write
# `"my_lab.flags:Flags"`. The same name then works on the command line (`--env.name my_lab.flags:Flags`), and opening
# such a run takes `influence_jax.load(DIR, trust=True)`, since it imports your code.

# %%
small = influence_jax.presets.get("harvest-moa", profile="small")
config = dataclasses.replace(
    small,
    env=EnvConfig("__main__:Flags", horizon=20, params={"toll": 0.1}),
    network=NetworkConfig(conv_channels=2, hidden_size=8, core_size=8),
    influence=dataclasses.replace(small.influence, measure="__main__:total_variation"),
    learner=dataclasses.replace(small.learner, num_envs=16, rollout_length=10),
    hyperparams=small.hyperparams.replace(
        learning_rate=5e-3, learning_rate_end=1e-3, entropy_coef=0.01, influence_curriculum=0.0, moa_loss_weight=1.0
    ),
    total_steps=STEPS,
    log_interval=10,
)
weights = influence_jax.grid(seeds=3, influence_weight=[0.0, 1.0])
run = influence_jax.train(config, hyperparams=weights)
run

# %% [markdown]
# Three seeds without pay for influence and three with it, in one program. Unpaid, nobody raises flags. Of those that are
# paid, two raise one in about half of the steps, though each costs a toll; the third never begins.
# Three seeds do not say more.

# %%
shown = ["influence_weight", "seed", "flags", "followed", "influence", "entropy[0]", "moa_cross_entropy"]
ends = run.table().groupby("member").last()
ends[[name for name in shown if name in ends]].round(3)

# %%
influence_jax.plot_learning_curves(run, ["flags", "followed", "influence", "entropy"], by="influence_weight")

# %% [markdown]
# ## The shaper instead
#
# No pay for influence here, but a fifth of what the other gets. Is that a reason to raise flags? The other is paid for
# following, and to follow "none" is as well paid as any other flag: a tip is no reason, and none are raised. The
# intervals say how little three seeds are, one of which never began.

# %%
shaped = dataclasses.replace(config, learner=dataclasses.replace(config.learner, shaper="__main__:tipped"))
tips_alone = influence_jax.train(shaped, hyperparams=influence_jax.grid(seeds=3, influence_weight=[0.0]))
conditions = {
    "paid for influence": {name: x[:, 3:] for name, x in run.metrics.items()},
    "tips": tips_alone.metrics,
}
influence_jax.compare(conditions, "flags")

# %% [markdown]
# ## What was learned
#
# One episode of a pair that is paid for influence. There are no images of this game, as it has no map, but everything else.

# %%
trace = run.trace(member=3, seed=0)
trace.table()[["step", "agent", "action", "reward", "influence", "entropy"]].head(12).round(3)
