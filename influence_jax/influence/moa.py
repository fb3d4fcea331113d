"""Influence through each agent's own model of the other agents (section 6 of the paper): nobody needs to be asked.

Agent k's model is a second recurrent branch that sees k's features and everybody's actions of step t, its own first, and
predicts the others' actions of step t + 1. Influence compares that prediction with its average over the actions k might have
taken, weighted by k's own policy. Only visible agents count, and the model's state advances with real actions alone.
"""

import distrax
import jax
import jax.numpy as jnp

from influence_jax.influence import base
from influence_jax.influence.base import InfluenceModel
from influence_jax.influence.measures import Measure
from influence_jax.types import ActorOutput, CounterfactualBatch, NetworkSpec


def moa(num_agents: int, num_actions: int, measure: Measure, train_only_visible: bool) -> InfluenceModel:
    """Return the decentralised model; every agent is an influencer of those it sees."""

    def decide(network, key, params, carry, previous, timestep):
        carry, previous = base.reset_at_first(timestep.first, carry, previous)
        context = base.others(previous)
        features = jax.vmap(network.encode)(params, base.agents_first(timestep.observation))
        policy_step = base.act(network, key, params, carry["policy"], features["policy"], base.agents_first(context))
        samples = jax.tree.map(base.agents_first, policy_step.samples)
        mask = timestep.visible & ~timestep.last[:, None, None]
        symbols = base.agents_first(base.own_first(samples["action"].symbol))
        moa_carry, batch = jax.vmap(counterfactuals, in_axes=(None, 0, 0, 0, 0, 0, 0))(
            network,
            params,
            carry["moa"],
            features["moa"],
            symbols,
            policy_step.log_policy["action"],
            base.agents_first(base.pairs_of_others(mask)),
        )
        pairwise = jax.vmap(base.measured, in_axes=(0, None))(batch, measure)
        influence, information = (base.insert_self(base.agents_first(x)) for x in pairwise)
        carry = {"policy": policy_step.carry, "moa": moa_carry}
        output = ActorOutput(
            samples=samples,
            context=context,
            influence=influence,
            mutual_information=information,
            activations=base.activations(features, carry),
        )
        return output, carry, output.action

    def auxiliary_batch(trajectory):
        """Pair step t's input with the actions of step t + 1; the last step of a rollout has no partner and is masked."""
        actions = trajectory.actor_output.action
        own_first, targets = jax.vmap(base.own_first)(actions), jax.vmap(base.others)(actions)
        follows = trajectory.valid[:-1] & trajectory.valid[1:] & ~trajectory.first[1:]
        mask = jnp.broadcast_to(follows[:, :, None, None], (*follows.shape, num_agents, num_agents))
        if train_only_visible:
            mask = mask & trajectory.visible[:-1]
        batch = {
            "symbols": own_first,  # [T,E,N,N]
            "targets": jnp.roll(targets, -1, axis=0),  # [T,E,N,N-1]
            "mask": jnp.pad(base.pairs_of_others(mask), ((0, 1), (0, 0), (0, 0), (0, 0))),  # [T,E,N,N-1]
        }
        return jax.tree.map(lambda x: jnp.moveaxis(x, 2, 0), batch)

    def auxiliary_loss(network, params, carry, features, batch, first, hparams):
        """Cross-entropy of the next actions (section 6), mean over the unmasked entries, and what trivial predictors reach."""
        heads = network.unroll(params, "moa", carry["moa"], features["moa"], batch["symbols"], first)
        losses = distrax.Categorical(logits=heads["prediction"]).log_prob(batch["targets"])
        count = jnp.maximum(batch["mask"].sum(), 1)
        cross_entropy = -jnp.sum(jnp.where(batch["mask"], losses, 0.0)) / count
        metrics = {
            "moa_cross_entropy": cross_entropy,
            "moa_marginal_cross_entropy": marginal_cross_entropy(batch["targets"], batch["mask"], num_actions),
            "moa_repeat_cross_entropy": repeat_cross_entropy(
                batch["symbols"][..., 1:], batch["targets"], batch["mask"], num_actions
            ),
        }
        return hparams.moa_loss_weight * cross_entropy, metrics

    return InfluenceModel(
        network_spec=NetworkSpec(
            num_actions, context_blocks=num_agents - 1, context_symbols=num_actions, moa_targets=num_agents - 1
        ),
        init_memory=lambda num_envs: jnp.full((num_envs, num_agents), -1, jnp.int32),
        decide=decide,
        auxiliary_batch=auxiliary_batch,
        auxiliary_loss=auxiliary_loss,
        about_next_action=True,
    )


def counterfactuals(network, params, carry, features, symbols, log_policy, mask):
    """One influencer's predictions under its real action and under every alternative; the state advances with the real one.

    ``symbols i32[E,N]`` own action first, ``log_policy f32[E,A]``, ``mask bool[E,N-1]``. Returns ``(carry, batch)``.
    """
    own = symbols[..., 0]
    gates = network.precompute(params, "moa", carry, features)
    stepped, gates, heads = network.resolve(params, "moa", carry, gates, symbols)
    factual = jax.nn.log_softmax(heads["prediction"])
    logits = network.alternatives(params, "moa", carry, gates, own, 0)["prediction"]
    return stepped, CounterfactualBatch(
        factual=factual,
        alternatives=base.log_answers(logits, factual, own),
        weights=log_policy,
        realised=symbols[..., 1:],
        mask=mask,
    )


def marginal_cross_entropy(targets: jax.Array, mask: jax.Array, num_actions: int) -> jax.Array:
    """Cross-entropy of predicting each agent's action frequencies, taken from ``targets i32[T,E,J]``, nats.

    Frequencies scored on the data they were counted in look too good; the Miller-Madow term takes that back.
    """
    counts = jnp.sum(jax.nn.one_hot(targets, num_actions) * mask[..., None], axis=(0, 1))
    total = counts.sum(axis=-1, keepdims=True)
    log_frequency = jnp.log(jnp.maximum(counts, 1.0)) - jnp.log(jnp.maximum(total, 1.0))
    excess = jnp.sum(jnp.maximum((counts > 0).sum(axis=-1) - 1, 0)) / 2
    return (excess - jnp.sum(counts * log_frequency)) / jnp.maximum(counts.sum(), 1.0)


def repeat_cross_entropy(last: jax.Array, targets: jax.Array, mask: jax.Array, num_actions: int) -> jax.Array:
    """Cross-entropy of 'the same as last time' with the best error rate for these data, errors spread evenly, nats."""
    rate = jnp.sum((last != targets) & mask) / jnp.maximum(mask.sum(), 1)
    return jax.scipy.special.entr(rate) + jax.scipy.special.entr(1.0 - rate) + rate * jnp.log(num_actions - 1.0)
