"""The interface between the learner and influence models: what a model declares about itself."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp

from influence_jax.config import ConfigError, Hyperparams
from influence_jax.influence.axes import agents_first, insert_diagonal
from influence_jax.influence.measures import Measure, label
from influence_jax.types import ActorOutput, CounterfactualBatch, NetworkSpec, Trajectory

INFLUENCE_LIMIT = 10.0  # nats, summed over influencees; binds for PMI only


@dataclasses.dataclass(frozen=True)
class Memory:
    """What agents remember between steps apart from their recurrent state; every array has a leading axis E.

    Attributes:
        init: ``num_envs -> memory`` at the start of an episode.
        context: ``memory -> i32[E,N,L]``, the symbols that enter each agent's policy; -1 for none.
        remember: ``(memory, agents, step) -> memory``, called after the slice ``agents`` has acted; ``step`` is their
            `influence_jax.influence.acting.PolicyStep`. Groups that act later in the same step see the result.
        disturb: ``(key, memory) -> memory``, applied before anyone acts. None leaves the memory alone.
    """

    init: Callable[[int], Any]
    context: Callable[[Any], jax.Array]
    remember: Callable[[Any, slice, Any], Any]
    disturb: Callable[[jax.Array, Any], Any] | None = None


def require_others(model: str, num_agents: int) -> None:
    """Raise a `ConfigError` if there is only one agent, and so nobody to influence."""
    if num_agents < 2:
        raise ConfigError(
            f"influence.model is {model!r} with one agent; allowed: at least two, so that there are others."
        )


def influence_as_measured(trajectory: Trajectory, bootstrap: ActorOutput) -> jax.Array:
    """Return the influence f32[T,E,K,J] at the step at which it was measured."""
    del bootstrap
    return trajectory.actor_output.influence


def influence_measured_next(trajectory: Trajectory, bootstrap: ActorOutput) -> jax.Array:
    """Return the influence f32[T,E,K,J] of the choices at step t, which is measured at step t + 1.

    Choices at the last step of an episode have no influence.
    """
    return jnp.concatenate([trajectory.actor_output.influence[1:], bootstrap.influence[None]])


def by_influencer(pairs: jax.Array, step: Any) -> jax.Array:
    """Return f32[E,K,J] of the pairs f32[K,E,N-1] of each influencer with the others."""
    del step
    return insert_diagonal(agents_first(pairs))


@dataclasses.dataclass(frozen=True)
class InfluenceModel:
    """An influence model: declarations of what it is, and its parts as pure functions.

    `influence_jax.influence.acting.decide` uses these while agents act, and evaluation reads them to learn what to intervene on
    and at which step to look for the effect.

    Attributes:
        network_spec: what each agent's network must offer.
        groups: sizes of the groups that act one after another, in the order of agent numbers. With ``(1, 4)`` agent 0 acts
            first, and agents 1 to 4 see its action.
        memory: what agents remember from step to step.
        channel: what varies in an agent's counterfactuals, "action" or "message". That head is rewarded for influence.
        lag: steps until a choice can change the others' actions, 0 or 1.
        source: whose distributions are compared: the others' real "policies", or the predictions of each agent's "own model" of
            the others.
        counterfactuals: ``(network, params, step) -> (batch, carry)`` for a step of type `influence_jax.influence.acting.Step`.
            The `CounterfactualBatch`, whose first axis is one of agents, holds the response to every choice that each
            influencer could have made. ``carry`` is ``{branch: [N,E,...]}``, the new state of the model's own branches. None for
            a model without influence.
        place: ``(pairs, step) -> f32[E,K,J]`` moves the pairs ``f32[*,J]`` of that batch to their places, by
            default as `by_influencer` does.
        intervene: ``(network, params, transition, world) -> memory`` tries other actions in the game and returns the memory
            after a `influence_jax.influence.acting.Transition`. ``world`` maps actions i32[E,N] to the time step that would have
            followed them, under the same random draws. None for a model that tries nothing.
        measure: compares factual and marginal behaviour; None if influence is not measured.
        marginal: ``batch -> f32[*,J,A]``, log probabilities that ``measure`` takes for the marginal of a `CounterfactualBatch`.
            None averages the alternatives under the influencer's own policy (equation 1). The mutual information always does.
        influence_of_choices: ``(trajectory, bootstrap) -> f32[T,E,K,J]``, the influence on j of what k chose at step t.
            ``bootstrap`` is the output after the last step.
        credit: ``(trajectory, bootstrap, hparams) -> f32[T,E,K,J]``, the influence that is paid at step t, if that is a
            different one. Hyper-parameters are f32[N].
        limit: an agent is paid for at most this much influence on all others together.
        auxiliary_batch: ``trajectory -> batch`` gathers what ``auxiliary_loss`` needs, with a leading agent axis.
        auxiliary_loss: ``(network, params, carry, features, batch, first, hparams) -> (loss, metrics)`` of one agent. Both are
            None for a model that trains nothing besides the policy.
        numbers: hyper-parameters of its own by name, each declared by `influence_jax.settings.number`; ``hparams.own`` has them.
    """

    network_spec: NetworkSpec
    groups: tuple[int, ...]
    memory: Memory
    channel: Literal["action", "message"] = "action"
    lag: Literal[0, 1] = 1
    source: Literal["policies", "own model"] = "policies"
    counterfactuals: Callable[..., tuple[CounterfactualBatch, dict[str, Any]]] | None = None
    place: Callable[[jax.Array, Any], jax.Array] = by_influencer
    intervene: Callable[..., Any] | None = None
    measure: Measure | None = None
    marginal: Callable[[CounterfactualBatch], jax.Array] | None = None
    influence_of_choices: Callable[[Trajectory, ActorOutput], jax.Array] = influence_as_measured
    credit: Callable[[Trajectory, ActorOutput, Hyperparams], jax.Array] | None = None
    limit: float = INFLUENCE_LIMIT
    auxiliary_batch: Callable[[Trajectory], Any] | None = None
    auxiliary_loss: Callable[..., tuple[jax.Array, dict[str, jax.Array]]] | None = None
    numbers: Mapping[str, Any] = dataclasses.field(default_factory=dict, hash=False)

    def __repr__(self) -> str:
        measured = "no influence" if self.measure is None else f"influence of {self.channel}s in {label(self.measure)}"
        return f"InfluenceModel of {sum(self.groups)} agents: {measured}, source {self.source!r}, lag {self.lag}"

    def credited_influence(self, trajectory: Trajectory, bootstrap: ActorOutput, hparams: Hyperparams) -> jax.Array:
        """Return the influence f32[T,E,K,J] of k on j that is paid at step t."""
        if self.credit is None:
            return self.influence_of_choices(trajectory, bootstrap)
        return self.credit(trajectory, bootstrap, hparams)

    def influence_reward(self, trajectory: Trajectory, bootstrap: ActorOutput, hparams: Hyperparams) -> jax.Array:
        """Return each agent's influence on all others, f32[T,E,N], nats, at the step at which it is paid.

        With ``hparams.influencee_share``, agents are also paid this share of the influence that they received (Table 1, reward
        of influencees).
        """
        pairs = self.credited_influence(trajectory, bootstrap, hparams)
        reward = pairs.sum(axis=-1) + hparams.influencee_share * pairs.sum(axis=-2)
        return jnp.clip(reward, -self.limit, self.limit)


def as_information(trajectory: Trajectory, bootstrap: ActorOutput) -> tuple[Trajectory, ActorOutput]:
    """Return both with the mutual information in place of the influence."""

    def exchanged(output):
        return dataclasses.replace(output, influence=output.mutual_information)

    return dataclasses.replace(trajectory, actor_output=exchanged(trajectory.actor_output)), exchanged(bootstrap)


def without_measure(model: InfluenceModel) -> InfluenceModel:
    """Return a model that acts and learns in the same way, but has zero influence, at no cost."""
    return dataclasses.replace(model, measure=None, intervene=None)
