"""Basic influence (section 4 of the paper): influencers act first, and the others see their actions before they act.

Agents 0 to K-1 are influencers, the rest are influencees. An influencee's recurrent input holds the influencers' actions of
the current step and all other agents' actions of the previous step; an influencer's input holds only actions of the previous
step. Influence compares an influencee's policy with its average over the actions of one influencer, everything else held
fixed. Every pair counts, whether in view or not.
"""

import jax
import jax.numpy as jnp

from influence_jax.config import ConfigError, InfluenceConfig
from influence_jax.influence.acting import Influencers, last_actions, policy_counterfactuals
from influence_jax.influence.axes import others
from influence_jax.influence.measures import Measure
from influence_jax.influence.model import InfluenceModel, require_others
from influence_jax.types import NetworkSpec


def basic(config: InfluenceConfig, num_agents: int, num_actions: int, measure: Measure) -> InfluenceModel:
    """Return the centralised model, in which ``config.num_influencers`` agents act first.

    Raises:
        ConfigError: no agent is left to be influenced.
    """
    require_others("basic", num_agents)
    num_influencers = config.num_influencers
    if num_influencers >= num_agents:
        raise ConfigError(
            f"influence.num_influencers is {num_influencers} with {num_agents} agents; allowed: whole numbers from 1 to "
            f"{num_agents - 1}, so that somebody is influenced."
        )

    def counterfactuals(network, params, step):
        log_policy = step.policy.log_policy["action"][:num_influencers]

        def of_influencee(params, carry, policy, symbol):
            influencers = Influencers(
                symbol=symbol,
                block=jnp.arange(num_influencers, dtype=jnp.int32),
                log_policy=log_policy,
                mask=jnp.broadcast_to(~step.timestep.last, log_policy.shape[:2]),
            )
            return policy_counterfactuals(network, params, carry, policy, influencers)

        params, carry, policy = jax.tree.map(lambda x: x[num_influencers:], (params, step.carry["policy"], step.policy))
        symbols = step.context[num_influencers:, :, :num_influencers]  # the first K blocks of an influencee's context
        return jax.vmap(of_influencee)(params, carry, policy, symbols), {}

    def place(pairs, step):
        """Put ``[N-K,K,E,1]`` into the block of ``[E,N,N]`` whose rows are influencers and whose columns are influencees."""
        del step
        zeros = jnp.zeros((pairs.shape[2], num_agents, num_agents), pairs.dtype)
        return zeros.at[:, :num_influencers, num_influencers:].set(pairs[..., 0].transpose(2, 1, 0))

    return InfluenceModel(
        network_spec=NetworkSpec(num_actions, context_blocks=num_agents - 1, context_symbols=num_actions),
        groups=(num_influencers, num_agents - num_influencers),
        memory=last_actions(num_agents, context=others),
        lag=0,
        counterfactuals=counterfactuals,
        place=place,
        measure=measure,
    )
