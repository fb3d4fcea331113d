"""Pytrees that are shared between folders, every field with its shape.

Axis letters: ``E`` parallel environments, ``N`` agents, ``K`` influencers, ``J`` influencees (both range over agents), ``C``
alternatives of the intervened variable, ``A`` actions, ``V`` side of the square view. Cells are (row, column).
"""

import dataclasses
from typing import Any

import jax
from flax import struct

from influence_jax.config import Hyperparams
from influence_jax.settings import counted, short_repr


def arrays_repr(self: Any) -> str:
    """Return ``Name(field=dtype[shape], ...)`` of a dataclass of arrays, which may be traced; to be a ``__repr__``."""
    shown = (f"{field.name}={_brief(getattr(self, field.name))}" for field in dataclasses.fields(self))
    return f"{type(self).__name__}({', '.join(shown)})"


def _brief(value: Any) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"{value.dtype}[{','.join(map(str, value.shape))}]"
    arrays = [x for x in jax.tree.leaves(value) if hasattr(x, "size")]
    if not arrays:
        return short_repr(value)
    return f"{counted(len(arrays), 'array')} of {sum(x.size for x in arrays):,} numbers"


# Registered here and not in `config`, which must not import JAX.
jax.tree_util.register_dataclass(Hyperparams)


@struct.dataclass
class TimeStep:
    """What an environment returns after a reset or a step (one environment; callers vmap).

    An episode that reaches its horizon is *truncated*: its last ``TimeStep`` has ``truncated=True`` and ``discount=1``, so a
    learner bootstraps from its observation. ``discount`` is 0 only if the game itself terminates.

    >>> env = influence_jax.make("harvest", num_agents=2)
    >>> state, timestep = env.reset(jax.random.key(0), env.default_params)
    >>> timestep.reward.shape, bool(timestep.first), bool(timestep.last)
    ((2,), True, False)
    """

    __repr__ = arrays_repr

    observation: jax.Array  # u8[N,V,V,3]
    reward: jax.Array  # f32[N], extrinsic, unscaled
    discount: jax.Array  # f32[], 0 only if the game terminated
    first: jax.Array  # bool[], True right after a reset
    truncated: jax.Array  # bool[], True at the horizon
    visible: jax.Array  # bool[N,N], the row's agent sees the column's; diagonal False
    metrics: dict[str, jax.Array]  # of this step, f32[N] each, names in EnvSpec.metric_names

    @property
    def last(self) -> jax.Array:
        """bool[]: the episode ends here, by termination or truncation; the next step is a reset."""
        return self.truncated | (self.discount == 0)


Colours = tuple[tuple[int, int, int], ...]  # red, green, blue of each


@dataclasses.dataclass(frozen=True)
class EnvSpec:
    """The static facts of an environment that other modules rely on."""

    num_agents: int
    num_actions: int
    action_names: tuple[str, ...]
    observation_shape: tuple[int, int, int]  # (V, V, 3) of one agent, uint8
    horizon: int  # environment steps per episode
    metric_names: tuple[str, ...]
    beam_actions: tuple[int, ...] = ()  # actions that draw a beam, whatever it hits
    agent_colours: tuple[Colours, ...] = ()  # of each agent who looks up, right, down, left; () if views hide it


@dataclasses.dataclass(frozen=True)
class NetworkSpec:
    """What an influence model requires of each agent's network."""

    num_actions: int
    context_blocks: int = 0  # L, number of symbols that enter the policy's core
    context_symbols: int = 1  # number of distinct symbols: actions or messages
    num_messages: int = 0  # vocabulary of a second pair of heads, "message" and its value; 0 for none
    moa_targets: int = 0  # other agents whose next action a second branch predicts; 0 for no such branch
    extra_inputs: int = 0  # X, numbers that enter the policy's core next to the image's features
    agent_colours: tuple[Colours, ...] = ()  # as in `EnvSpec`

    @property
    def heads(self) -> tuple[str, ...]:
        """The heads that an agent samples from in every step, in order."""
        return ("action", "message") if self.num_messages else ("action",)


@struct.dataclass
class Observation:
    """An observation that is more than an image."""

    __repr__ = arrays_repr

    image: jax.Array  # u8[...,V,V,3]
    extra: jax.Array  # f32[...,X]


@struct.dataclass
class CounterfactualBatch:
    """Influencers' choices, their alternatives, and the influencees' responses to each.

    All distributions are natural-log probabilities. Leading axes ``*`` range over environments and influencers in either
    order; ``J`` indexes the influencees of each influencer.
    """

    factual: jax.Array  # f32[*,J,A], response to k's actual choice
    alternatives: jax.Array  # f32[*,C,J,A], response to each of k's C alternatives
    weights: jax.Array  # f32[*,C], k's own policy over its alternatives
    realised: jax.Array | None  # i32[*,J], j's actual response (used by PMI only); None if unknown
    mask: jax.Array  # bool[*,J], pairs that count


@struct.dataclass
class HeadSample:
    """The samples of one head of every agent in one step."""

    __repr__ = arrays_repr

    symbol: jax.Array  # i32[E,N], the action or the message
    log_prob: jax.Array  # f32[E,N], of that symbol
    value: jax.Array  # f32[E,N], expected return of this head's own reward, in the unit of the losses
    entropy: jax.Array  # f32[E,N], of the policy, nats


@struct.dataclass
class CachedActivations:
    """What a branch of the network computed while acting, kept so that learning need not recompute it."""

    features: jax.Array  # f32[...,F]
    carry: Any  # its recurrent state after the step


@struct.dataclass
class BranchActivity:
    """Statistics of a branch's units in one step of acting, over all environments."""

    saturated: jax.Array  # f32[N], fraction of hidden units beyond .95
    lowest: jax.Array  # f32[N,F], of each feature
    highest: jax.Array  # f32[N,F]


@struct.dataclass
class ActorOutput:
    """The agents' choices in one step, and what the learner needs to know about them."""

    __repr__ = arrays_repr

    samples: dict[str, HeadSample]  # by head: "action", and "message" if agents talk
    log_policy: dict[str, jax.Array]  # by head, f32[E,N,A] or f32[E,N,M]: the distributions that symbols are drawn from
    context: jax.Array  # i32[E,N,L], symbols that entered the policy's recurrent core; -1 for none
    influence: jax.Array  # f32[E,K,J], of k on j, already masked, nats (or the measure's unit); diagonal 0
    mutual_information: jax.Array  # f32[E,K,J], mean KL over k's own policy, with the same mask, nats
    activations: dict[str, CachedActivations] | None = None  # by branch, leading [E,N]
    predicted: jax.Array | None = None  # f32[E,N,N-1,A], each agent's log-probabilities of the others' next actions

    @property
    def action(self) -> jax.Array:
        """i32[E,N]: the actions for the environment."""
        return self.samples["action"].symbol


@struct.dataclass
class Trajectory:
    """One rollout, time first. ``t`` is the step at which an action was chosen; its rewards are stored at the same index."""

    __repr__ = arrays_repr

    observation: jax.Array | Observation  # u8[T,E,N,V,V,3]
    time: jax.Array  # i32[T,E], steps taken in the episode before this one
    first: jax.Array  # bool[T,E], carries are zeroed before this step
    valid: jax.Array  # bool[T,E], False on the idle step that follows the last observation of an episode
    visible: jax.Array  # bool[T,E,N,N]
    actor_output: ActorOutput  # leading T
    reward: jax.Array  # f32[T,E,N], extrinsic, of the step taken at t
    discount: jax.Array  # f32[T,E], 0 where the step taken at t ended the game
    truncated: jax.Array  # bool[T,E], the step taken at t reached the horizon
    metrics: dict[str, jax.Array]  # f32[T,E,N], of the step taken at t
    activity: dict[str, BranchActivity] | None = None  # by branch, leading T; for diagnostics
