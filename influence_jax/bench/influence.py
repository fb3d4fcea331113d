"""What does influence cost, end to end? The same learner without it, with it, and with a naive re-run of the network."""

import dataclasses
import pathlib
import statistics

import jax
import jax.numpy as jnp
import numpy as np

from influence_jax import presets
from influence_jax.bench.harness import Timing, report, save
from influence_jax.bench.learner import measure_updates, sized, updates
from influence_jax.influence import axes, counterfactual
from influence_jax.influence.measures import MEASURES
from influence_jax.influence.model import unmeasured
from influence_jax.learner.learner import Learner, make_learner
from influence_jax.types import CounterfactualBatch


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    presets: tuple[str, ...] = ("cleanup-basic", "cleanup-communication", "cleanup-moa")
    """Experiments, one for each influence model."""
    profile: str = "small"
    """Profile of the learner."""
    updates: int = 20
    """Updates in one call."""
    repeats: int = 7
    """Timed calls of each program, in turns."""
    num_envs: int | None = None
    """E, instead of the profile's."""
    out: pathlib.Path | None = None
    """Directory for influence.json."""


SMOKE = ("--presets", "cleanup-communication", "--updates", "1", "--repeats", "1", "--num-envs", "1")


def main(arguments: Arguments) -> None:
    """Measure whole updates of every preset, three ways."""
    title = f"Influence, profile {arguments.profile}"
    timings, costs = [], {}
    for name in arguments.presets:
        config = sized(presets.get(name, arguments.profile), arguments.updates, arguments.num_envs)
        learner = make_learner(config)
        ways = [updates(way(learner), name, way=way.__name__) for way in (without, with_influence, naive)]
        base, *others = measure_updates(ways, arguments.repeats)
        timings += [base, *others]
        costs[name] = {timing.program.labels["way"]: time_added(base, timing) for timing in others}
        save(arguments.out, "influence", title, rows=[timing.row() for timing in timings], time_added=costs)
    report(title, timings)
    for name, added in costs.items():
        print(
            f"{name}: influence adds {added['with_influence']:.1%} to the time, by naive re-runs {added['naive']:.1%}"
        )


def time_added(base: Timing, other: Timing) -> float:
    """Return by what fraction of its time ``other`` takes longer than ``base``, in the median turn."""
    pairs = zip(other.seconds, base.seconds, strict=True)
    return statistics.median(slower / faster for slower, faster in pairs) - 1.0


def with_decide(learner: Learner, decide) -> Learner:
    """Return the learner with another way to act."""
    return dataclasses.replace(learner, model=dataclasses.replace(learner.model, decide=decide))


def with_influence(learner: Learner) -> Learner:
    """The learner as it is."""
    return learner


def without(learner: Learner) -> Learner:
    """The same networks and losses, but nobody asks for influence, so the compiler leaves it out."""
    return dataclasses.replace(learner, model=unmeasured(learner.model))


def naive(learner: Learner) -> Learner:
    """Influence by running the whole network again, pixels included, for everything an influencer might have done.

    The work is that of the re-run; the alternatives are weighted evenly, which costs the same as the influencer's policy.
    """
    config, num_agents = learner.config.influence, learner.env.spec.num_agents
    own_model = config.model == "moa"
    branch, head = ("moa", "prediction") if own_model else ("policy", "action")
    # Whose network runs again, and which blocks of its symbols it is asked about, i32[K,L]; nobody influences itself.
    first = config.num_influencers if config.model == "basic" else 0
    listener = np.arange(first, num_agents)
    blocks = {
        "moa": np.zeros(
            (1, num_agents), int
        ),  # all blocks are those of the agent's own model, of which it asks for its own
        "basic": np.repeat(np.arange(first)[:, None], len(listener), axis=1),
        "communication": (listener + np.arange(1, num_agents)[:, None]) % num_agents,
    }[config.model]

    def decide(network, key, params, carry, memory, timestep):
        output, after, memory = learner.model.decide(network, key, params, carry, memory, timestep)
        told = axes.agents_first(axes.own_first(output.action) if own_model else output.context)
        symbols = learner.model.network_spec.context_symbols

        def answer(params, carry, told, observation, block, symbol):
            told = told.at[:, block].set(symbol)
            gates = network.precompute(params, branch, carry, network.encode(params, observation)[branch])
            return jax.nn.log_softmax(network.resolve(params, branch, carry, gates, told)[2][head])

        def alternative(blocks, symbol, observation):
            return jax.vmap(answer, in_axes=(0, 0, 0, 0, 0, None))(*listening, observation, blocks, symbol)

        seen = axes.agents_first(timestep.observation)
        *listening, seen = jax.tree.map(lambda x: x[first:], (params, carry[branch], told, seen))
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
        pairs = counterfactual.pairwise_influence(batch, MEASURES[config.measure])
        information = counterfactual.mutual_information(batch)
        influence, information = (
            jnp.broadcast_to(x.sum(axis=(0, 1, -1))[:, None, None], output.influence.shape)
            for x in (pairs, information)
        )
        return output.replace(influence=influence, mutual_information=information), after, memory

    return with_decide(learner, decide)
