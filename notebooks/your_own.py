# %% [markdown]
# # Your own game, measure and shaper
#
# We write a game in which one agent can only signal and the other can only follow, a measure of influence, and a reward shaper.
# Takes about two minutes on two cores; [docs/extending.md](../docs/extending.md) shows the other parts that you can replace.

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

STEPS = 100_000

# %% [markdown]
# ## A game
#
# Agent 0 may raise a flag, for a toll. Agent 1 sees the previous step's flag and is rewarded for following it. Agent 0 gets
# none of this reward, so why should it ever raise a flag?


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
    """Agent 0 raises flags, and agent 1 is rewarded for following them."""

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
        """Start without a flag."""
        return State(flag=jnp.zeros((), jnp.int32), time=jnp.zeros((), jnp.int32))

    def sample_noise(self, key, params):
        """This game is deterministic."""
        return ()

    def dynamics(self, state, actions, noise, params):
        """Raise a flag, and reward agent 1 if it followed the last one."""
        raised = jnp.array([1.0, 0.0], jnp.float32) * (actions > 0)
        followed = jnp.array([0.0, 1.0], jnp.float32) * (actions[1] == state.flag)
        reward = followed - params.toll * raised
        metrics = {"flags": raised, "followed": followed}
        return State(flag=actions[0], time=state.time + 1), reward, jnp.ones((), jnp.float32), metrics

    def observe(self, state):
        """Show both agents the flag as a white row; they see each other."""
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
# A measure compares the other agent's policy (`factual`) with its average over one's own alternatives (`marginal`), both as
# natural-log probabilities. This one is the total variation distance, between 0 and 1. The shaper gives each agent a share of
# the other's reward.


# %%
def total_variation(factual, marginal, realised, axis=-1):
    """Return half the summed difference of the probabilities."""
    return 0.5 * jnp.abs(jnp.exp(factual) - jnp.exp(marginal)).sum(axis=axis)


def tips(reward, hparams):
    """Return ``f32[T,E,N]``: each agent's own reward plus a fifth of all others'."""
    return reward + 0.2 * (reward.sum(axis=-1, keepdims=True) - reward)


tipped = stateless(tips)

# %% [markdown]
# ## What a setting needs
#
# A setting names code as `"module:name"`. In a notebook the module is `__main__`, which works while the notebook is open but
# does not let you open the run later. For that, move the cells to a file, such as `my_lab/flags.py`, and write
# `"my_lab.flags:Flags"`. The same name then works on the command line (`--env.name my_lab.flags:Flags`). Open such a run with
# `influence_jax.load(DIR, trust=True)`, since that imports your code.

# %%
small = influence_jax.presets.get("harvest-moa", profile="small")
config = dataclasses.replace(
    small,
    env=EnvConfig("__main__:Flags", horizon=20, params={"toll": 0.1}),
    network=NetworkConfig(conv_channels=2, hidden_size=8, core_size=8),
    influence=dataclasses.replace(small.influence, measure="__main__:total_variation"),
    learner=dataclasses.replace(small.learner, num_envs=16, rollout_length=10),
    hyperparams=small.hyperparams.replace(
        learning_rate=1e-3,
        learning_rate_end=1e-3,
        entropy_coef=0.01,
        exploration=1.0,
        influence_curriculum=0.0,
        moa_loss_weight=1.0,
    ),
    total_steps=STEPS,
    log_interval=10,
)
weights = influence_jax.grid(seeds=3, influence_weight=[0.0, 1.0])
run = influence_jax.train(config, hyperparams=weights)
run

# %% [markdown]
# We train three seeds without an influence reward and three with it, in one program. Without it, nobody raises flags in the
# end. With it, agent 0 raises one in about half of the steps, although each costs a toll. In the first half of a run, extra
# entropy (`exploration`) keeps it trying until agent 1 has learned to follow. With little of it, agent 0 gives up before that,
# and there is no influence to be paid for.

# %%
shown = ["influence_weight", "seed", "flags", "followed", "influence", "entropy[0]", "moa_cross_entropy"]
ends = run.table().groupby("member").last()
ends[[name for name in shown if name in ends]].round(3)

# %%
influence_jax.plot_learning_curves(run, ["flags", "followed", "influence", "entropy"], by="influence_weight")

# %% [markdown]
# ## The shaper instead
#
# There is no influence reward now; instead, each agent gets a fifth of the other's reward. Is that a reason to raise flags? No:
# the other agent is rewarded as much for following "none" as for following a flag, so no flags are raised. With three seeds
# against three, no permutation test can give a p below .1, however clear the difference is.

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
# One episode of a pair that is rewarded for influence. This game has no map and so no images, but everything else is there.

# %%
trace = run.trace(member=3, seed=0)
trace.table()[["step", "agent", "action", "reward", "influence", "entropy"]].head(12).round(3)
