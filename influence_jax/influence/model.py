"""The seam between the learner and the ways to produce influence."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from influence_jax.types import ActorOutput, NetworkSpec, Trajectory

INFLUENCE_LIMIT = 10.0  # nats, summed over influencees; binds for PMI only


def as_measured(trajectory: Trajectory, bootstrap: ActorOutput) -> jax.Array:
    """Return the influence f32[T,E,K,J] of each step's own choice, as it was measured while acting."""
    del bootstrap
    return trajectory.actor_output.influence


@dataclasses.dataclass(frozen=True)
class InfluenceModel:
    """One way to produce influence, as pure functions.

    Attributes:
        network_spec: what each agent's network must offer.
        init_memory: ``num_envs -> memory``, what acting remembers of the last step beside the recurrent state.
        reset: ``(first bool[E], carry, memory) -> (carry, memory)``, both as at the start of an episode where one starts.
        context: ``memory -> i32[E,N,L]``, the symbols that each agent knows of before anybody acts; -1 for none.
        remember: ``(memory, actions i32[E,N]) -> memory`` after a step in which these actions were taken.
        decide: ``(network, key, params, carry, memory, timestep) -> (ActorOutput, carry, memory)`` acts for all agents in one
            step of ``E`` environments; ``params`` and ``carry`` have a leading agent axis. ``network`` is a
            `influence_jax.networks.protocol.Network`.
        credited_influence: ``(trajectory, bootstrap) -> f32[T,E,K,J]``, the influence of k on j that counts as the consequence
            of what k chose at step t. ``bootstrap`` is the output after the last step.
        auxiliary_batch: ``trajectory -> batch`` gathers, with a leading agent axis, what ``auxiliary_loss`` needs.
        auxiliary_loss: ``(network, params, carry, features, batch, first, hparams) -> (loss, metrics)`` of one agent. Both are
            None for a model that learns nothing beside the policy.
        rewarded_head: the head whose reward influence is added to.
    """

    network_spec: NetworkSpec
    init_memory: Callable[[int], Any]
    reset: Callable[[jax.Array, Any, Any], tuple[Any, Any]]
    context: Callable[[Any], jax.Array]
    remember: Callable[[Any, jax.Array], Any]
    decide: Callable[..., tuple[ActorOutput, Any, Any]]
    credited_influence: Callable[[Trajectory, ActorOutput], jax.Array] = as_measured
    auxiliary_batch: Callable[[Trajectory], Any] | None = None
    auxiliary_loss: Callable[..., tuple[jax.Array, dict[str, jax.Array]]] | None = None
    rewarded_head: str = "action"

    def influence_reward(
        self, trajectory: Trajectory, bootstrap: ActorOutput, influencee_share: jax.Array | float = 0.0
    ) -> jax.Array:
        """Return each agent's influence on all others, f32[T,E,N], nats, at the step whose choice it rewards.

        With an ``influencee_share``, agents are also paid that share of the influence they received (Table 1, reward of
        influencees).
        """
        pairs = self.credited_influence(trajectory, bootstrap)
        reward = pairs.sum(axis=-1) + influencee_share * pairs.sum(axis=-2)
        return jnp.clip(reward, -INFLUENCE_LIMIT, INFLUENCE_LIMIT)


def as_information(trajectory: Trajectory, bootstrap: ActorOutput) -> tuple[Trajectory, ActorOutput]:
    """Return both with the mutual information in the place of the influence."""

    def exchanged(output):
        return output.replace(influence=output.mutual_information)

    return trajectory.replace(actor_output=exchanged(trajectory.actor_output)), exchanged(bootstrap)


def unmeasured(model: InfluenceModel) -> InfluenceModel:
    """Return a model that acts and learns alike, but whose influence is 0, so that no work is done for it."""

    def decide(*args):
        output, carry, memory = model.decide(*args)
        zeros = jnp.zeros_like(output.influence)
        return output.replace(influence=zeros, mutual_information=zeros), carry, memory

    return dataclasses.replace(model, decide=decide)
