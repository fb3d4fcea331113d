"""Influence by each agent's own model of other agents, MOA (section 6 of the paper); no agent's policy is queried.

Agent k's model is a second recurrent branch. It sees k's features and all actions of step t, k's own first, and predicts the
others' actions of step t + 1. Influence compares this prediction with its average over k's alternative actions, weighted by
k's policy. Only agents in view count. The state of the model advances with real actions only.
"""

import distrax
import jax
import jax.numpy as jnp

from influence_jax.config import InfluenceConfig
from influence_jax.fusion import reciprocal
from influence_jax.influence.acting import last_actions
from influence_jax.influence.axes import agents_first, drop_diagonal, others, own_first
from influence_jax.influence.counterfactual import log_alternatives, released_marginal
from influence_jax.influence.measures import Measure
from influence_jax.influence.model import InfluenceModel, require_others
from influence_jax.types import CounterfactualBatch, NetworkSpec


def moa(config: InfluenceConfig, num_agents: int, num_actions: int, measure: Measure) -> InfluenceModel:
    """Return the decentralised model, in which every agent is an influencer of the agents that it sees.

    Raises:
        ConfigError: there is only one agent, and so no other to model.
    """
    require_others("moa", num_agents)

    def counterfactuals(network, params, step):
        mask = step.timestep.visible & ~step.timestep.last[:, None, None]
        actions = agents_first(step.policy.samples["action"].symbol)
        carry, batch = jax.vmap(predictions, in_axes=(None, 0, 0, 0, 0, 0, 0))(
            network,
            params,
            step.carry["moa"],
            step.features["moa"],
            agents_first(own_first(actions)),
            step.policy.log_policy["action"],
            agents_first(drop_diagonal(mask)),
        )
        return batch, {"moa": carry}

    def auxiliary_batch(trajectory):
        """Pair the input of step t with the actions of step t + 1; the last step of a rollout has no target and is masked."""
        actions = trajectory.actor_output.action
        symbols, targets = jax.vmap(own_first)(actions), jax.vmap(others)(actions)
        follows = trajectory.valid[:-1] & trajectory.valid[1:] & ~trajectory.first[1:]
        mask = jnp.broadcast_to(follows[:, :, None, None], (*follows.shape, num_agents, num_agents))
        if config.moa_train_only_visible:
            mask = mask & trajectory.visible[:-1]
        batch = {
            "symbols": symbols,  # [T,E,N,N]
            "targets": jnp.roll(targets, -1, axis=0),  # [T,E,N,N-1]
            "mask": jnp.pad(drop_diagonal(mask), ((0, 1), (0, 0), (0, 0), (0, 0))),  # [T,E,N,N-1]
        }
        return jax.tree.map(lambda x: jnp.moveaxis(x, 2, 0), batch)

    def auxiliary_loss(network, params, carry, features, batch, first, hparams):
        """Return the cross-entropy of the next actions (section 6), averaged over the unmasked entries, as loss and metric."""
        heads = network.unroll(params, "moa", carry["moa"], features["moa"], batch["symbols"], first)
        losses = distrax.Categorical(logits=heads["prediction"]).log_prob(batch["targets"])
        count = jnp.maximum(batch["mask"].sum(dtype=jnp.float32), 1)
        cross_entropy = -jnp.sum(jnp.where(batch["mask"], losses, 0.0)) * reciprocal(count)
        return hparams.moa_loss_weight * cross_entropy, {"moa_loss": cross_entropy}

    return InfluenceModel(
        network_spec=NetworkSpec(
            num_actions, context_blocks=num_agents - 1, context_symbols=num_actions, moa_targets=num_agents - 1
        ),
        groups=(num_agents,),
        memory=last_actions(num_agents, context=others),
        source="own model",
        counterfactuals=counterfactuals,
        measure=measure,
        marginal=released_marginal if config.moa_marginal == "released" else None,
        influence_of_choices=influence_on_next_action,
        auxiliary_batch=auxiliary_batch,
        auxiliary_loss=auxiliary_loss,
    )


def influence_on_next_action(trajectory, bootstrap):
    """Return the influence f32[T,E,K,J] on the others' next actions; 0 at the last step of an episode, which has none."""
    del bootstrap
    goes_on = ~(trajectory.truncated | (trajectory.discount == 0))
    return jnp.where(goes_on[:, :, None, None], trajectory.actor_output.influence, 0.0)


def predictions(network, params, carry, features, symbols, log_policy, mask):
    """Return ``(carry, batch)``: one influencer's predictions under its real action and under every alternative.

    The carry advances with the real action. ``symbols i32[E,N]`` are actions, the agent's own first; ``log_policy`` is f32[E,A]
    and ``mask`` bool[E,N-1].
    """
    own = symbols[..., 0]
    gates = network.precompute(params, "moa", carry, features)
    stepped, gates, heads = network.resolve(params, "moa", carry, gates, symbols)
    factual = jax.nn.log_softmax(heads["prediction"])
    logits = network.alternatives(params, "moa", carry, gates, own, 0)["prediction"]
    return stepped, CounterfactualBatch(
        factual=factual,
        alternatives=log_alternatives(logits, factual, own),
        weights=log_policy,
        realised=None,  # the actions of the next step, which are not known yet
        mask=mask,
    )
