"""What does influence cost, end to end? The same learner without it, with it, and with a naive rerun of the network."""

import dataclasses
import pathlib
import statistics

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax import presets
from influence_jax.bench.harness import Timing, report, save
from influence_jax.bench.learner import measure_updates, sized, updates
from influence_jax.influence import axes
from influence_jax.influence.model import without_measure
from influence_jax.learner.learner import Learner, make_learner
from influence_jax.types import CounterfactualBatch


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    presets: tuple[str, ...] = ("cleanup-basic", "cleanup-communication", "cleanup-moa")
    """Presets, one for each influence model."""
    profile: str = "small"
    """Profile of the learner."""
    updates: int = 20
    """Updates per call."""
    repeats: int = 7
    """Timed calls of each program, taken in turns."""
    num_envs: int | None = None
    """Number of environments, E; the profile's by default."""
    out: pathlib.Path | None = None
    """Directory for influence.json."""


SMOKE = ("--presets", "cleanup-communication", "--updates", "1", "--repeats", "1", "--num-envs", "1")


def main(arguments: Arguments) -> None:
    """Measure whole updates of every preset in three ways."""
    title = f"Influence, profile {arguments.profile}"
    timings, costs = [], {}
    for name in arguments.presets:
        config = sized(presets.get(name, arguments.profile), arguments.updates, arguments.num_envs)
        learner = make_learner(config)
        ways = [updates(way(learner), name, way=way.__name__) for way in (without, with_influence, naive)]
        base, *others = measure_updates(ways, arguments.repeats)
        timings += [base, *others]
        costs[name] = {timing.workload.labels["way"]: time_added(base, timing) for timing in others}
        save(arguments.out, "influence", title, rows=[timing.row() for timing in timings], time_added=costs)
    report(title, timings)
    for name, added in costs.items():
        print(
            f"{name}: influence adds {added['with_influence']:.1%} to the time, by naive re-runs {added['naive']:.1%}"
        )


def time_added(base: Timing, other: Timing) -> float:
    """Return the extra time of ``other`` as a fraction of the time of ``base``, in the median turn."""
    pairs = zip(other.seconds, base.seconds, strict=True)
    return statistics.median(slower / faster for slower, faster in pairs) - 1.0


def with_influence(learner: Learner) -> Learner:
    """Return the learner unchanged."""
    return learner


def without(learner: Learner) -> Learner:
    """Return a learner with the same networks and losses but no use of influence, which the compiler then removes."""
    return dataclasses.replace(learner, model=without_measure(learner.model))


def naive(learner: Learner) -> Learner:
    """Return a learner that computes influence by rerunning the whole network, pixels included, for every alternative.

    The work is that of a rerun; the alternatives have equal weights, which cost the same as the influencer's policy.
    """
    model, num_agents = learner.model, learner.env.spec.num_agents
    cheap = model.counterfactuals
    if cheap is None:  # nobody has influence
        return learner
    own_model = model.source == "own model"
    branch, head = ("moa", "prediction") if own_model else ("policy", "action")
    # Whose network runs again, and the blocks of its symbols that vary, i32[K,L]; no agent influences itself.
    first = model.groups[0] if model.lag == 0 else 0
    listener = np.arange(first, num_agents)
    if own_model:
        blocks = np.zeros((1, num_agents), int)  # the agent's own model, with its own action as the block that varies
    elif model.lag == 0:
        blocks = np.repeat(np.arange(first)[:, None], len(listener), axis=1)
    else:
        blocks = (listener + np.arange(1, num_agents)[:, None]) % num_agents

    def counterfactuals(network, params, step):
        _, carry = cheap(network, params, step)  # the compiler removes all of it but the state
        context = step.context
        if own_model:
            context = axes.agents_first(axes.own_first(axes.agents_first(step.policy.samples["action"].symbol)))
        symbols = model.network_spec.context_symbols

        def answer(params, carry, context, observation, block, symbol):
            context = context.at[:, block].set(symbol)
            gates = network.precompute(params, branch, carry, network.encode(params, observation)[branch])
            return jax.nn.log_softmax(network.resolve(params, branch, carry, gates, context)[2][head])

        def alternative(blocks, symbol, observation):
            rerun = jax.vmap(answer, in_axes=(0, 0, 0, 0, 0, None))
            return rerun(own_params, own_carry, heard, observation, blocks, symbol)

        seen = axes.agents_first(step.timestep.observation)
        own_params, own_carry, heard, seen = jax.tree.map(
            lambda x: x[first:], (params, step.carry[branch], context, seen)
        )
        again = jax.lax.optimization_barrier(jnp.broadcast_to(seen, (len(blocks), symbols, *seen.shape)))
        answers = jax.vmap(jax.vmap(alternative, (None, 0, 0)), (0, None, 0))(
            jnp.asarray(blocks), jnp.arange(symbols), again
        )  # [K,C,L,E,A], or with the model of others [1,C,N,E,J,A]
        answers = jnp.moveaxis(answers, 1, -3 if own_model else -2)
        if not own_model:
            answers = answers[..., None, :]
        shape = answers.shape[:-3]
        batch = CounterfactualBatch(
            factual=answers[..., 0, :, :],
            alternatives=answers,
            weights=jnp.full((*shape, symbols), -jnp.log(symbols)),
            realised=jnp.zeros((*shape, answers.shape[-2]), jnp.int32),
            mask=jnp.ones((*shape, answers.shape[-2]), bool),
        )
        return batch, carry

    def place(pairs, step):  # f32[K,L,E,J]; it is enough that every number is used
        del step
        total = pairs.sum(axis=(0, 1, -1))[:, None, None]
        return jnp.broadcast_to(total, (len(total), num_agents, num_agents))

    return dataclasses.replace(learner, model=dataclasses.replace(model, counterfactuals=counterfactuals, place=place))
