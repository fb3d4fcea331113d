"""The seam between the learner and the ways to produce influence: what an influence model declares."""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp

from influence_jax.influence.measures import Measure
from influence_jax.types import ActorOutput, CounterfactualBatch, NetworkSpec, Trajectory

INFLUENCE_LIMIT = 10.0  # nats, summed over influencees; binds for PMI only


@dataclasses.dataclass(frozen=True)
class Memory:
    """What acting remembers of earlier steps beside the recurrent state; every array has a leading axis E.

    Attributes:
        init: ``num_envs -> memory`` at the start of an episode.
        context: ``memory -> i32[E,N,L]``, the symbols that enter each agent's policy; -1 for none.
        remember: ``(memory, agents, step) -> memory`` after the ``agents``, a slice, have acted; ``step`` is their
            `influence_jax.influence.acting.PolicyStep`. Groups that act later know it.
        disturb: ``(key, memory) -> memory``, applied before anybody acts; None leaves the memory as it is.
    """

    init: Callable[[int], Any]
    context: Callable[[Any], jax.Array]
    remember: Callable[[Any, slice, Any], Any]
    disturb: Callable[[jax.Array, Any], Any] | None = None


def influence_as_measured(trajectory: Trajectory, bootstrap: ActorOutput) -> jax.Array:
    """Return the influence f32[T,E,K,J] at the step in which it was measured."""
    del bootstrap
    return trajectory.actor_output.influence


def influence_measured_next(trajectory: Trajectory, bootstrap: ActorOutput) -> jax.Array:
    """Return the influence f32[T,E,K,J] of what was chosen at step t, which is measured at step t + 1.

    What has no next step, because the episode ended, has no influence there.
    """
    return jnp.concatenate([trajectory.actor_output.influence[1:], bootstrap.influence[None]])


@dataclasses.dataclass(frozen=True)
class InfluenceModel:
    """One way to produce influence: what it is, and its parts as pure functions.

    `influence_jax.influence.acting.decide` acts by it, and evaluation finds out from it what to intervene on and when to look.

    Attributes:
        network_spec: what each agent's network must offer.
        groups: how many agents act together, in the order of their numbers: ``(1, 4)`` is agent 0, then agents 1 to 4, who
            know what it did.
        memory: what is remembered from step to step.
        channel: what an agent varies in its counterfactuals, "action" or "message"; influence is part of that head's reward.
        lag: steps until a choice can change the others' actions, 0 or 1.
        source: whose distributions are compared: the others' "policies", or those of each agent's "own model" of the others.
        counterfactuals: ``(network, params, step) -> (batch, carry)``: what would have followed everything that each influencer
            might have chosen, of an `influence_jax.influence.acting.Step`, and the states ``{branch: carry [N,E,...]}`` of the
            branches that are the model's own. The first axis of the `CounterfactualBatch` is one of agents. None for a model
            without influence.
        place: ``(pairs, step) -> f32[E,K,J]`` puts the pairs of that batch, ``f32[*,J]``, where they belong.
        intervene: ``(network, params, transition, world) -> memory``: what is remembered of a
            `influence_jax.influence.acting.Transition` after looking into other worlds: ``world`` is a function of actions
            i32[E,N] that returns what everybody would perceive next, had they acted so, by the same chance. None for a
            model that needs none, and then there are none.
        measure: how factual and marginal behaviour are compared; None where nobody measures influence.
        influence_of_choices: ``(trajectory, bootstrap) -> f32[T,E,K,J]``, the influence of k on j by what k chose at step t.
            ``bootstrap`` is the output after the last step.
        credit: the same for the influence that is paid at step t, where it is another one.
        limit: the largest influence of an agent on all others that is paid.
        auxiliary_batch: ``trajectory -> batch`` gathers, with a leading agent axis, what ``auxiliary_loss`` needs.
        auxiliary_loss: ``(network, params, carry, features, batch, first, hparams) -> (loss, metrics)`` of one agent. Both are
            None for a model that learns nothing beside the policy.
    """

    network_spec: NetworkSpec
    groups: tuple[int, ...]
    memory: Memory
    channel: Literal["action", "message"] = "action"
    lag: Literal[0, 1] = 1
    source: Literal["policies", "own model"] = "policies"
    counterfactuals: Callable[..., tuple[CounterfactualBatch, dict[str, Any]]] | None = None
    place: Callable[[jax.Array, Any], jax.Array] | None = None
    intervene: Callable[..., Any] | None = None
    measure: Measure | None = None
    influence_of_choices: Callable[[Trajectory, ActorOutput], jax.Array] = influence_as_measured
    credit: Callable[[Trajectory, ActorOutput], jax.Array] | None = None
    limit: float = INFLUENCE_LIMIT
    auxiliary_batch: Callable[[Trajectory], Any] | None = None
    auxiliary_loss: Callable[..., tuple[jax.Array, dict[str, jax.Array]]] | None = None

    def credited_influence(self, trajectory: Trajectory, bootstrap: ActorOutput) -> jax.Array:
        """Return the influence f32[T,E,K,J] of k on j that is paid at step t."""
        return (self.credit or self.influence_of_choices)(trajectory, bootstrap)

    def influence_reward(
        self, trajectory: Trajectory, bootstrap: ActorOutput, influencee_share: jax.Array | float = 0.0
    ) -> jax.Array:
        """Return each agent's influence on all others, f32[T,E,N], nats, at the step at which it is paid.

        With an ``influencee_share``, agents are also paid that share of the influence they received (Table 1, reward of
        influencees).
        """
        pairs = self.credited_influence(trajectory, bootstrap)
        reward = pairs.sum(axis=-1) + influencee_share * pairs.sum(axis=-2)
        return jnp.clip(reward, -self.limit, self.limit)


def as_information(trajectory: Trajectory, bootstrap: ActorOutput) -> tuple[Trajectory, ActorOutput]:
    """Return both with the mutual information in the place of the influence."""

    def exchanged(output):
        return output.replace(influence=output.mutual_information)

    return trajectory.replace(actor_output=exchanged(trajectory.actor_output)), exchanged(bootstrap)


def without_measure(model: InfluenceModel) -> InfluenceModel:
    """Return a model that acts and learns alike, but whose influence is 0, so that no work is done for it."""
    return dataclasses.replace(model, measure=None, intervene=None)
