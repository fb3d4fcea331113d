"""A loss for listeners: their policies should depend on what they hear (positive listening, Eccles et al. 2019).

The policy of listener j after the message m of speaker k is compared with its average over the messages that k could have sent,
weighted by k's policy over messages, everything else held fixed::

    loss = -w mean_{t,k} sum_a | pi_j(a | m_k) - sum_m pi_k(m) pi_j(a | do(m_k = m)) |

Eccles et al. compare with a policy that hears nothing, which they train by a second loss; here the average is
exact and needs no training. As there, no gradient flows through what is compared with.
"""

import jax
import jax.numpy as jnp

from influence_jax.fusion import reciprocal


def listening_batch(trajectory):
    """Return what every agent heard from each speaker, leading [N,T,E,K], and which of it counts.

    Step 0 of a rollout does not, since the policies that its messages were drawn from belong to the rollout before.
    """
    output = trajectory.actor_output
    heard = jnp.moveaxis(output.context, 2, 0)  # i32[N,T,E,K]
    num_agents, length = heard.shape[:2]
    said_by = jnp.roll(output.log_policy["message"], 1, axis=0)  # f32[T,E,K,M], those of the step before
    counts = trajectory.valid & (jnp.arange(length)[:, None] > 0)
    others = ~jnp.eye(num_agents, dtype=bool)[:, None, None]
    return {
        "heard": heard,
        "log_policy": jnp.broadcast_to(said_by, (num_agents, *said_by.shape)),
        "mask": (heard >= 0) & counts[..., None] & others,
    }


def listening_loss(network, params, carry, features, batch, first, hparams):
    """Return the loss of one agent, and the mean distance, in [0, 2], as a metric."""

    def step(carry, now):
        features, heard, log_policy, first = now
        carry = jax.tree.map(lambda x: jnp.where(first[..., None], 0.0, x), carry)
        gates = network.precompute(params, "policy", carry, features)
        after, gates, heads = network.resolve(params, "policy", carry, gates, heard)

        def answers(symbol, speaker):
            return network.alternatives(params, "policy", carry, gates, symbol, speaker)["action"]

        speakers = jnp.arange(heard.shape[-1], dtype=jnp.int32)
        each = jax.vmap(answers, in_axes=(-1, 0), out_axes=-3)(heard, speakers)  # f32[E,K,M,A]
        average = jnp.sum(jnp.exp(log_policy)[..., None] * jax.nn.softmax(each), axis=-2)
        difference = jax.nn.softmax(heads["action"])[..., None, :] - jax.lax.stop_gradient(average)
        return after, jnp.abs(difference).sum(axis=-1)

    steps = features["policy"], batch["heard"], batch["log_policy"], first
    distance = jax.lax.scan(step, carry["policy"], steps)[1]  # f32[T,E,K]
    count = jnp.maximum(batch["mask"].sum(dtype=jnp.float32), 1)
    mean = jnp.sum(jnp.where(batch["mask"], distance, 0.0)) * reciprocal(count)
    return -hparams.listening_weight * mean, {"listening": mean}
