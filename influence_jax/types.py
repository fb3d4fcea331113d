"""Shared pytrees: what crosses a border between modules, every field with its shape.

Axis letters: ``E`` parallel environments, ``N`` agents, ``K`` influencers, ``J`` influencees (both range over agents), ``C``
alternatives of the intervened variable, ``A`` actions, ``V`` side of the square view. Cells are (row, column).
"""

import dataclasses
from typing import Any

import jax
from flax import struct

from influence_jax.config import Hyperparams

# Here rather than in `config`, which must not wait for JAX.
jax.tree_util.register_dataclass(Hyperparams)


@struct.dataclass
class TimeStep:
    """What one environment reports after a reset or a step (one environment; callers vmap).

    An episode that reaches its horizon is *truncated*: its last ``TimeStep`` has ``truncated=True`` and ``discount=1``, so a
    learner bootstraps from its observation. ``discount`` is 0 only where the game itself ends.
    """

    observation: jax.Array  # u8[N,V,V,3]
    reward: jax.Array  # f32[N], extrinsic, unscaled
    discount: jax.Array  # f32[], 0 only at true termination
    first: jax.Array  # bool[], True right after a reset
    truncated: jax.Array  # bool[], True at the horizon
    visible: jax.Array  # bool[N,N], row sees column; diagonal False
    metrics: dict[str, jax.Array]  # of this step, f32[N] each, names in EnvSpec.metric_names

    @property
    def last(self) -> jax.Array:
        """bool[]: the episode ends here, by termination or truncation; the next step is a reset."""
        return self.truncated | (self.discount == 0)


@dataclasses.dataclass(frozen=True)
class EnvSpec:
    """The static facts of an environment that other modules may rely on."""

    num_agents: int
    num_actions: int
    action_names: tuple[str, ...]
    observation_shape: tuple[int, int, int]  # (V, V, 3) of one agent, uint8
    horizon: int  # environment steps per episode
    metric_names: tuple[str, ...]
    beam_actions: tuple[int, ...] = ()  # actions that draw a beam, whatever comes of it


@dataclasses.dataclass(frozen=True)
class NetworkSpec:
    """What an influence model asks of each agent's network."""

    num_actions: int
    context_blocks: int = 0  # L, symbols that enter the policy's recurrent core
    context_symbols: int = 1  # how many symbols there are: actions or messages
    num_messages: int = 0  # vocabulary of a second pair of heads, "message" and its value; 0 for none
    moa_targets: int = 0  # other agents whose next action a second branch predicts; 0 for no such branch
    extra_inputs: int = 0  # X, numbers that enter the policy's recurrent core beside the features of the image

    @property
    def heads(self) -> tuple[str, ...]:
        """What an agent chooses in every step, in the order in which it draws."""
        return ("action", "message") if self.num_messages else ("action",)


@struct.dataclass
class Observation:
    """What agents perceive where an image is not all."""

    image: jax.Array  # u8[...,V,V,3]
    extra: jax.Array  # f32[...,X]


@struct.dataclass
class CounterfactualBatch:
    """What influencers did, what they might have done instead, and how the influencees would have responded.

    All distributions are natural-log probabilities. Leading axes ``*`` range over environments and influencers in either
    order; ``J`` indexes the influencees of each influencer.
    """

    factual: jax.Array  # f32[*,J,A], response to what k really did
    alternatives: jax.Array  # f32[*,C,J,A], response to each of the C things k might have done
    weights: jax.Array  # f32[*,C], k's own policy over its alternatives
    realised: jax.Array | None  # i32[*,J], what j really did (used by PMI alone); None where that is not known
    mask: jax.Array  # bool[*,J], pairs that count


@struct.dataclass
class HeadSample:
    """What one head of every agent chose in one step."""

    symbol: jax.Array  # i32[E,N], the action or the message
    log_prob: jax.Array  # f32[E,N], of that symbol
    value: jax.Array  # f32[E,N], expected return of this head's own reward, in the unit of the losses
    entropy: jax.Array  # f32[E,N], of the policy, nats


@struct.dataclass
class CachedActivations:
    """What a branch of the network computed while acting, kept so that learning need not compute it again."""

    features: jax.Array  # f32[...,F]
    carry: Any  # its recurrent state after the step


@struct.dataclass
class BranchActivity:
    """What one step of acting, in all environments, shows of the units of a branch."""

    saturated: jax.Array  # f32[N], fraction of the hidden units beyond .95
    lowest: jax.Array  # f32[N,F], of each feature
    highest: jax.Array  # f32[N,F]


@struct.dataclass
class ActorOutput:
    """What all agents did in one step, and what the learner must remember of it."""

    samples: dict[str, HeadSample]  # by head: "action", and "message" where agents talk
    log_policy: dict[str, jax.Array]  # by head, f32[E,N,A] or f32[E,N,M]: the distributions that symbols are drawn from
    context: jax.Array  # i32[E,N,L], symbols that entered the policy's recurrent core; -1 for none
    influence: jax.Array  # f32[E,K,J], of k on j, already masked, nats (or the measure's unit); diagonal 0
    mutual_information: jax.Array  # f32[E,K,J], mean KL over k's own policy, masked likewise, nats
    activations: dict[str, CachedActivations] | None = None  # by branch, leading [E,N]
    predicted: jax.Array | None = None  # f32[E,N,N-1,A], each agent's log-probabilities of the others' next actions

    @property
    def action(self) -> jax.Array:
        """i32[E,N]: what the environment is given."""
        return self.samples["action"].symbol


@struct.dataclass
class Trajectory:
    """One rollout, time first. ``t`` is the step at which an action was chosen; rewards are its consequence."""

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
    activity: dict[str, BranchActivity] | None = None  # by branch, leading T; what learning is watched by
