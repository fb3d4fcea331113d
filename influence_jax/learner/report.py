"""The metrics of an update, as means that can be averaged over updates."""

import jax
import jax.numpy as jnp

from influence_jax import metrics
from influence_jax.config import ConfigError, Hyperparams, declared
from influence_jax.influence.model import as_information
from influence_jax.learner.learner import Learner
from influence_jax.learner.sight import sight_metrics
from influence_jax.metrics import EpisodeSums, Mean, mean_over
from influence_jax.types import ActorOutput, Trajectory


def report(
    learner: Learner,
    hparams: Hyperparams,
    episode_sums: EpisodeSums,
    trajectory: Trajectory,
    bootstrap: ActorOutput,
    learned: dict[str, jax.Array],
):
    """Turn a rollout into means that can be averaged over updates, per agent ``f32[N]`` or over all agents ``f32[]``."""
    one = jnp.ones((), jnp.float32)
    logs = {
        name: Mean(total=value if name.startswith("gradient/") else jnp.mean(value), count=one)
        for name, value in learned.items()
    }
    valid, num_agents = trajectory.valid, learner.env.spec.num_agents
    influence = learner.model.credited_influence(trajectory, bootstrap, hparams).sum(axis=-1)
    information = learner.model.credited_influence(*as_information(trajectory, bootstrap), hparams).sum(axis=-1)
    logs |= {
        "agent_influence": mean_over(influence, valid),
        "influence": mean_over(influence.mean(axis=-1), valid),
        "mutual_information": mean_over(information.mean(axis=-1), valid),
        "step_reward": mean_over(trajectory.reward.sum(axis=-1), valid),
        "visible_fraction": mean_over(
            trajectory.visible.sum(axis=(-2, -1), dtype=jnp.int32) / max(1, num_agents * (num_agents - 1)), valid
        ),
    }
    logs |= sight_metrics(trajectory)
    own = own_metrics(learner, trajectory)
    fifth = jnp.minimum(trajectory.time * 5 // learner.env.spec.horizon, 4)
    in_fifth = valid[..., None] & (fifth[..., None] == jnp.arange(5, dtype=jnp.int32))  # bool[T,E,5]
    entropy = trajectory.actor_output.samples["action"].entropy
    company = trajectory.visible.any(axis=-1) & valid[..., None]
    alone = ~trajectory.visible.any(axis=-1) & valid[..., None]
    logs |= {
        "entropy_by_fifth": Mean(
            total=jnp.where(in_fifth, entropy.mean(axis=-1, keepdims=True), 0.0).sum(axis=(0, 1)),
            count=in_fifth.sum(axis=(0, 1)).astype(jnp.float32),
        ),
        "entropy_with_neighbours": mean_over(entropy, company),
        "entropy_alone": mean_over(entropy, alone),
    }
    ended = valid & (trajectory.truncated | (trajectory.discount == 0))
    episode_sums, sums, finished = metrics.add_episodes(
        episode_sums, trajectory.reward, trajectory.metrics, trajectory.first, ended
    )
    logs |= {
        "agent_returns": mean_over(sums.reward, finished),
        "collective_return": mean_over(sums.reward.sum(axis=-1), finished),
        "equality": mean_over(metrics.equality(sums.reward), finished),
        "episodes": Mean(total=finished.sum().astype(jnp.float32), count=one),
    }
    of_the_game = {}
    for name, values in sums.metrics.items():
        of_the_game[f"agent_{name}"] = mean_over(values, finished)
        of_the_game[name] = mean_over(values.sum(axis=-1), finished)
    for part, names in (("env.spec.metric_names", of_the_game), ("learner.metrics", own)):
        taken = sorted({*logs, *RESERVED} & names.keys())
        if taken:
            raise ConfigError(f"{part} has the names {', '.join(taken)}; allowed: names that are not taken.")
        logs |= names
    return episode_sums, logs


# Column names of logs and tables that are not metrics.
RESERVED = (
    *("update", "member", "trial", "seed", "failed", "env_steps", "seconds", "steps_per_second"),
    *(name for name, _, _ in declared(Hyperparams())),
)


def own_metrics(learner: Learner, trajectory: Trajectory) -> dict[str, Mean]:
    """Return the means of the metrics of ``learner.metrics``."""
    means, valid = {}, trajectory.valid
    for metric in learner.metrics:
        for name, values in metric(trajectory).items():
            if name in means or values.shape[:2] != valid.shape:
                raise ConfigError(
                    f"learner.metrics has {name!r} of shape {list(values.shape)}; allowed: each name once, of shape "
                    f"{list(valid.shape)} or with further axes."
                )
            means[name] = mean_over(values, valid)
    return means
