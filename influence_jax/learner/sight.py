"""Whether agents use what they see, and how good their models of each other are: look at these metrics before any return.

All of them are exact, computed from the policies and predictions of a rollout at little cost (docs/learner.md).
"""

import jax
import jax.numpy as jnp

from influence_jax.fusion import reciprocal
from influence_jax.influence.axes import drop_diagonal, others_index
from influence_jax.influence.measures import divergence_terms
from influence_jax.metrics import Mean
from influence_jax.networks.protocol import Network
from influence_jax.types import BranchActivity, CachedActivations, Trajectory

SATURATED = 0.95  # absolute value of a hidden unit, which is at most 1


def activity(network: Network, activations: dict[str, CachedActivations]) -> dict[str, BranchActivity]:
    """Return for each branch the activity of its units in one step of acting; activations lead with [E,N]."""

    def of_branch(x: CachedActivations) -> BranchActivity:
        hidden = jnp.abs(network.hidden(x.carry))
        return BranchActivity(
            saturated=(hidden > SATURATED).mean(axis=(0, 2), dtype=jnp.float32),
            lowest=x.features.min(axis=0),
            highest=x.features.max(axis=0),
        )

    return {branch: of_branch(x) for branch, x in activations.items()}


def sight(log_policy: jax.Array, mask: jax.Array) -> jax.Array:
    """Return the mutual information of an agent's state and its action, ``H(mean policy) - mean H(policy)``, f32[...], nats.

    Args:
        log_policy: ``f32[M,...,A]``, at M moments.
        mask: ``bool[M,...]``, the moments that count.
    """
    count = jnp.maximum(mask.sum(axis=0, dtype=jnp.float32), 1.0)
    policy = jnp.where(mask[..., None], jnp.exp(log_policy), 0.0)
    total = policy.sum(axis=0)
    log_mean, mean = jnp.log(total) - jnp.log(count)[..., None], total * reciprocal(count)[..., None]
    divergence = divergence_terms(log_policy, log_mean, policy, mean).sum(axis=-1)
    return jnp.where(mask, divergence, 0.0).sum(axis=0) * reciprocal(count)


def sight_metrics(trajectory: Trajectory) -> dict[str, Mean]:
    """Return the metrics of one rollout, ``f32[N]`` each.

    * ``agent_sight``, see `sight`.
    * For each branch ``agent_saturated_<branch>``, the fraction of saturated hidden units, and ``agent_dead_<branch>``, the
      fraction of features that never changed, which after a layer norm is 0 even if units are dead.
    * For models of others, over pairs in view: ``agent_moa_cross_entropy`` of the predictions made while acting. It lies between
      ``agent_moa_marginal_cross_entropy``, that of a model which knows action frequencies only, and ``agent_moa_policy_entropy``,
      the best possible. These three are also logged over all agents.
    """
    one = jnp.ones((), jnp.float32)
    log_policy, valid = trajectory.actor_output.log_policy["action"], trajectory.valid
    moments = log_policy.reshape(-1, *log_policy.shape[2:])
    seen = sight(moments, jnp.broadcast_to(valid.reshape(-1, 1), moments.shape[:2]))
    logs = {"agent_sight": Mean(total=seen, count=one)}
    for branch, x in (trajectory.activity or {}).items():
        dead = (x.highest.max(axis=0) == x.lowest.min(axis=0)).mean(axis=-1, dtype=jnp.float32)
        logs[f"agent_dead_{branch}"] = Mean(total=dead, count=one)
        logs[f"agent_saturated_{branch}"] = Mean(total=x.saturated.mean(axis=0), count=one)
    predicted = trajectory.actor_output.predicted
    if predicted is not None:
        logs |= moa_metrics(trajectory, predicted[:-1])
    return logs


def moa_metrics(trajectory: Trajectory, predicted: jax.Array) -> dict[str, Mean]:
    """Return the metrics of each agent's model of the others, for the actions after each step but the last.

    ``predicted f32[T-1,E,N,N-1,A]`` are the models' log-probabilities.
    """
    follows = trajectory.valid[:-1] & trajectory.valid[1:] & ~trajectory.first[1:]
    mask = drop_diagonal(trajectory.visible[:-1] & follows[..., None, None])  # bool[T-1,E,N,N-1]
    num_agents = mask.shape[2]
    acted = trajectory.actor_output.log_policy["action"][1:][:, :, others_index(num_agents)]  # f32[T-1,E,N,N-1,A]

    def flat(x):
        return x.reshape(-1, *x.shape[2:])

    pairs = flat(mask).sum(axis=0, dtype=jnp.float32)  # f32[N,N-1]
    summed = jnp.where(flat(mask)[..., None], flat(jnp.exp(acted)), 0.0).sum(axis=0)
    mean_policy = summed * reciprocal(jnp.maximum(pairs, 1.0))[..., None]

    def total(x):
        return jnp.where(mask, x.sum(axis=-1), 0.0).sum(axis=(0, 1))

    of_pairs = {
        "moa_cross_entropy": total(-jnp.exp(acted) * predicted),
        "moa_marginal_cross_entropy": pairs * jax.scipy.special.entr(mean_policy).sum(axis=-1),
        "moa_policy_entropy": total(-jnp.exp(acted) * acted),
    }
    logs = {name: Mean(total=x.sum(), count=pairs.sum()) for name, x in of_pairs.items()}
    return logs | {
        f"agent_{name}": Mean(total=x.sum(axis=-1), count=pairs.sum(axis=-1)) for name, x in of_pairs.items()
    }


def share_of_the_knowable(logs: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """Return ``{"agent_share_of_knowable": f32[N]}`` of models of others: 0 for action frequencies, 1 for the policies."""
    if "agent_moa_cross_entropy" not in logs:
        return {}
    knowable = logs["agent_moa_marginal_cross_entropy"] - logs["agent_moa_policy_entropy"]
    known = logs["agent_moa_marginal_cross_entropy"] - logs["agent_moa_cross_entropy"]
    return {"agent_share_of_knowable": known / jnp.where(knowable > 0, knowable, jnp.nan)}
