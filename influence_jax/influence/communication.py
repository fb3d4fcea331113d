"""Influence by messages (section 5 of the paper): every agent sends a message, and all agents receive it one step later.

Each agent draws a symbol from a second head along with its action. In the next step the symbols of all agents, its own
included, enter every agent's recurrent core. Influence compares an agent's policy over actions with its average over the
messages that one other agent could have sent, weighted by that agent's policy over messages. It is known one step after the
message.
"""

import dataclasses

import jax
import jax.numpy as jnp

from influence_jax.config import InfluenceConfig
from influence_jax.influence.acting import Influencers, policy_counterfactuals
from influence_jax.influence.axes import agents_first, insert_diagonal, others, others_index
from influence_jax.influence.listening import listening_batch, listening_loss
from influence_jax.influence.measures import Measure
from influence_jax.influence.model import (
    InfluenceModel,
    Memory,
    influence_as_measured,
    influence_measured_next,
    require_others,
)
from influence_jax.settings import Choices, Integers, checked
from influence_jax.types import NetworkSpec


def communication(config: InfluenceConfig, num_agents: int, num_actions: int, measure: Measure) -> InfluenceModel:
    """Return the model in which messages influence actions; every agent is an influencer of every other.

    The memory is ``(message i32[E,N], log_policy f32[E,N,M])``: the last messages and the policies that they were drawn from.

    Raises:
        ConfigError: there is only one agent, and so nobody who listens.
    """
    require_others("communication", num_agents)

    def counterfactuals(network, params, step):
        message, log_policy = step.memory
        counts = (message >= 0).T & ~step.timestep.last  # bool[K,E]
        speakers = jnp.asarray(others_index(num_agents))  # i32[J,K], the others that each listener hears
        influencers = Influencers(
            symbol=agents_first(others(message)),
            block=speakers,
            log_policy=agents_first(log_policy)[speakers],
            mask=counts[speakers],
        )
        batch = jax.vmap(policy_counterfactuals, in_axes=(None, 0, 0, 0, 0))(
            network, params, step.carry["policy"], step.policy, influencers
        )
        return batch, {}

    def init(num_envs):
        return (
            jnp.full((num_envs, num_agents), -1, jnp.int32),
            jnp.zeros((num_envs, num_agents, config.num_messages), jnp.float32),
        )

    def context(memory):
        return jnp.broadcast_to(memory[0][:, None], (*memory[0].shape, num_agents))

    def remember(memory, agents, step):
        message, log_policy = memory
        return (
            message.at[:, agents].set(step.samples["message"].symbol.T),
            log_policy.at[:, agents].set(agents_first(step.log_policy["message"])),
        )

    def paid_at_effect(trajectory, bootstrap, hparams):
        del hparams
        return influence_as_measured(trajectory, bootstrap)

    return InfluenceModel(
        network_spec=NetworkSpec(
            num_actions,
            context_blocks=num_agents,
            context_symbols=config.num_messages,
            num_messages=config.num_messages,
        ),
        groups=(num_agents,),
        memory=Memory(init, context, remember),
        channel="message",
        counterfactuals=counterfactuals,
        # [J,K,E,1] -> [E,J,K] with the diagonal -> [E,K,J]
        place=lambda pairs, step: insert_diagonal(pairs[..., 0].transpose(2, 0, 1)).swapaxes(1, 2),
        measure=measure,
        influence_of_choices=influence_measured_next,
        credit=paid_at_effect if config.credit == "effect" else None,
        auxiliary_batch=listening_batch if config.listening_loss else None,
        auxiliary_loss=listening_loss if config.listening_loss else None,
    )


def at_random(key, message, log_policy):
    """Draw each agent's message from its mean policy over messages, averaged over the environments."""
    mean = jax.nn.logsumexp(log_policy, axis=0)  # [N,M]
    return jax.random.categorical(key, mean, shape=message.shape).astype(jnp.int32)


def by_another(key, message, log_policy):
    """Replace each agent's message by that of the next agent."""
    del key, log_policy
    return jnp.roll(message, -1, axis=1)


def silence(key, message, log_policy):
    """Drop all messages."""
    del key, log_policy
    return jnp.full_like(message, -1)


SCRAMBLES = {"random": at_random, "another": by_another, "silence": silence}


def scrambled(model: InfluenceModel, how: str) -> InfluenceModel:
    """Return a communication model whose messages are replaced before anyone receives them, including the sender's own.

    The drop in return, without retraining, is what the messages are worth (Lowe et al. 2019):
    ``evaluate(dataclasses.replace(learner, model=scrambled(learner.model, "random")), state)``.

    Args:
        model: from `communication`.
        how: ``"random"`` draws each agent's message from its current policy averaged over the environments, of which there
            should be many; ``"another"`` takes the next agent's message; ``"silence"`` drops all messages.

    Raises:
        ConfigError: the model has no messages, or ``how`` is none of these.
    """
    checked("network_spec.num_messages", model.network_spec.num_messages, Integers(1))
    checked("how", how, Choices(tuple(SCRAMBLES)))

    def disturb(key, memory):
        message, log_policy = memory
        return jnp.where(message >= 0, SCRAMBLES[how](key, message, log_policy), message), log_policy

    return dataclasses.replace(model, memory=dataclasses.replace(model.memory, disturb=disturb))
