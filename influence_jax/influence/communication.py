"""Influence by messages (section 5 of the paper): everybody speaks, and is heard one step later.

Each agent draws a symbol from a second head along with its action; the symbols of all agents, its own included, enter
everybody's recurrent core in the next step. Influence compares an agent's real policy over actions with its average over what
one other agent might have said, weighted by that agent's own policy over messages. It is known one step after the message.
"""

import jax
import jax.numpy as jnp

from influence_jax.influence import base
from influence_jax.influence.base import InfluenceModel
from influence_jax.influence.measures import Measure
from influence_jax.types import ActorOutput, NetworkSpec


def communication(num_agents: int, num_actions: int, num_messages: int, measure: Measure) -> InfluenceModel:
    """Return the model in which messages influence actions; every agent is an influencer of every other."""

    def decide(network, key, params, carry, memory, timestep):
        said, weights = memory
        carry, said = base.reset_at_first(timestep.first, carry, said)
        context = jnp.broadcast_to(said[:, None], (*said.shape, num_agents))
        heard = base.agents_first(context)
        features = jax.vmap(network.encode)(params, base.agents_first(timestep.observation))
        policy_step = base.act(network, key, params, carry["policy"], features["policy"], heard)
        spoke = (said >= 0).T & ~timestep.last  # bool[K,E]
        speakers = jnp.asarray(base.others_index(num_agents))  # i32[J,K], those whom each listener hears beside itself
        batch = jax.vmap(base.policy_counterfactuals, in_axes=(None, 0, 0, 0, 0, 0, 0, 0, 0, 0))(
            network,
            params,
            carry["policy"],
            policy_step.gates,
            base.agents_first(base.others(said)),
            speakers,
            policy_step.log_policy["action"],
            policy_step.samples["action"].symbol,
            weights[speakers],
            spoke[speakers],
        )
        pairwise = jax.vmap(base.measured, in_axes=(0, None))(batch, measure)
        influence, information = (  # [J,K,E,1] -> [E,J,K] with the diagonal -> [E,K,J]
            base.insert_self(x[..., 0].transpose(2, 0, 1)).swapaxes(1, 2) for x in pairwise
        )
        output = ActorOutput(
            samples=jax.tree.map(base.agents_first, policy_step.samples),
            context=context,
            influence=influence,
            mutual_information=information,
            activations=base.activations(features, {"policy": policy_step.carry}),
        )
        memory = output.samples["message"].symbol, policy_step.log_policy["message"]
        return output, {"policy": policy_step.carry}, memory

    return InfluenceModel(
        network_spec=NetworkSpec(
            num_actions, context_blocks=num_agents, context_symbols=num_messages, num_messages=num_messages
        ),
        init_memory=lambda num_envs: (
            jnp.full((num_envs, num_agents), -1, jnp.int32),
            jnp.zeros((num_agents, num_envs, num_messages)),
        ),
        decide=decide,
        paid_head="message",
        about_last_symbol=True,
    )
