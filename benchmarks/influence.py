"""What does influence cost, end to end? The same learner without it, with it, and with a naive re-run of the network."""

import dataclasses

import jax
import jax.numpy as jnp
import tyro

from benchmarks.harness import measure_together, report
from influence_jax import presets
from influence_jax.influence import base
from influence_jax.influence.measures import MEASURES
from influence_jax.learner.train import Learner, make_learner
from influence_jax.runtime.population import init_population, repeat_hyperparams
from influence_jax.types import CounterfactualBatch


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    presets: tuple[str, ...] = ("cleanup-basic", "cleanup-communication", "cleanup-moa")
    """Experiments, one for each influence model."""
    profile: str = "small"
    """Profile of the learner."""
    updates: int = 5
    """Updates in one call."""
    repeats: int = 7
    """Timed calls of each program, in turns."""
    num_envs: int | None = None
    """E, instead of the profile's."""
    save: str | None = None
    """Name of the results file, without ending."""


def without(learner: Learner) -> Learner:
    """The same networks and losses, but nobody asks for influence, so the compiler leaves it out."""

    def decide(*args):
        decision, carry, memory = learner.model.decide(*args)
        nothing = jnp.zeros_like(decision.influence)
        return decision.replace(influence=nothing, mutual_information=nothing), carry, memory

    return with_decide(learner, decide)


def naive(learner: Learner) -> Learner:
    """Influence by running the whole network again, pixels included, for everything an influencer might have done.

    The work is that of the re-run; the alternatives are weighted evenly, which costs the same as the influencer's policy.
    """
    config, num_agents = learner.config.influence, learner.env.spec.num_agents
    own_model = config.model == "moa"
    branch, head = ("moa", "prediction") if own_model else ("policy", "action")
    blocks = {"moa": 1, "basic": config.num_influencers, "communication": num_agents}[config.model]

    def decide(network, key, params, carry, memory, timestep):
        decision, after, memory = learner.model.decide(network, key, params, carry, memory, timestep)
        told = base.agents_first(base.own_first(decision.action) if own_model else decision.context)
        symbols = learner.model.network_spec.context_symbols

        def answer(params, carry, observation, told):
            gates = network.precompute(params, branch, carry, network.encode(params, observation)[branch])
            return jax.nn.log_softmax(network.resolve(params, branch, carry, gates, told)[2][head])

        def alternative(block, symbol, observation):
            return jax.vmap(answer)(params, carry[branch], observation, told.at[..., block].set(symbol))

        seen = base.agents_first(timestep.observation)
        again = jax.lax.optimization_barrier(jnp.broadcast_to(seen, (blocks, symbols, *seen.shape)))
        answers = jax.vmap(jax.vmap(alternative, (None, 0, 0)), (0, None, 0))(
            jnp.arange(blocks), jnp.arange(symbols), again
        )  # [K,C,N,E,A], or with the model of others [1,C,N,E,J,A]
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
        pairs = base.pairwise_influence(batch, MEASURES[config.measure])
        information = base.mutual_information(batch)
        influence, information = (
            jnp.broadcast_to(x.sum(axis=(0, -1)).T[..., None], decision.influence.shape) for x in (pairs, information)
        )
        return decision.replace(influence=influence, mutual_information=information), after, memory

    return with_decide(learner, decide)


def with_decide(learner: Learner, decide) -> Learner:
    """Return the learner with another way to act."""
    return dataclasses.replace(learner, model=dataclasses.replace(learner.model, decide=decide))


def main(arguments: Arguments) -> None:
    """Measure whole updates of every preset, three ways."""
    timings = []
    for name in arguments.presets:
        config = presets.get(name, arguments.profile)
        num_envs = arguments.num_envs or config.learner.num_envs
        rules = dataclasses.replace(config.learner, num_envs=num_envs)
        config = dataclasses.replace(config, learner=rules, log_interval=arguments.updates)
        learner = make_learner(config)
        args = (init_population(learner), repeat_hyperparams(config), jnp.float32(config.num_updates))
        ways = {f"{name}, {way.__name__}": way(learner) for way in (without, with_influence, naive)}
        programs = {title: jax.vmap(one.chunk, in_axes=(0, 0, None)) for title, one in ways.items()}
        units = config.steps_per_update * arguments.updates
        timings += measure_together(programs, units, *args, repeats=arguments.repeats)
    report(f"Influence, profile {arguments.profile}", timings, arguments.save)


def with_influence(learner: Learner) -> Learner:
    """The learner as it is."""
    return learner


if __name__ == "__main__":
    main(tyro.cli(Arguments, description=__doc__))
