"""How many environment steps per second, with pixels, under random actions drawn beforehand?"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Sequence

import jax

import influence_jax
from influence_jax.bench.harness import (
    Timing,
    Workload,
    compile_program,
    copy_seconds,
    cores_used,
    measure,
    memory_copy,
    report,
    save,
    use_cores,
)
from influence_jax.envs.base import Environment


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    games: tuple[str, ...] = ("cleanup", "harvest")
    """Registered names."""
    num_agents: int = 5
    """Number of agents, N."""
    num_envs: tuple[int, ...] = (64, 256, 1024)
    """Numbers of environments, E; one row each."""
    steps: int = 100
    """Environment steps per call."""
    repeats: int = 7
    """Timed calls of each program, taken in turns."""
    cores: int | None = 1
    """CPU cores that the process and its children may use; None for all."""
    out: pathlib.Path | None = None
    """Directory for the results."""


SMOKE = ("--games", "cleanup", "--num-envs", "2", "--steps", "2", "--repeats", "1", "--cores", "None")


def main(arguments: Arguments) -> None:
    """Measure every game with every number of environments."""
    measure_games(arguments, "env", functools.partial(measure_game, repeats=arguments.repeats))


def measure_games(arguments: Arguments, question: str, measured: Callable[[str, int, int, int], list[Timing]]) -> None:
    """Print and save ``measured(game, num_agents, num_envs, steps)`` for every game and number of environments."""
    use_cores(arguments.cores)
    title = f"Environment steps per second, {arguments.num_agents} agents, pixels, random actions"
    timings = []
    for game in arguments.games:
        for num_envs in arguments.num_envs:
            timings += measured(game, arguments.num_agents, num_envs, arguments.steps)
            save(arguments.out, question, title, rows=[timing.row() for timing in timings])
    report(title, timings)


def measure_game(
    game: str, num_agents: int, num_envs: int, steps: int, repeats: int, beside: Sequence[Workload] = ()
) -> list[Timing]:
    """Time one game and the workloads ``beside`` it; the limit is the time to read and write states and observations once."""
    program, env_bytes = jax_program(game, num_agents, num_envs, steps)
    copy, *timings = measure([memory_copy(), program, *beside], repeats)
    return [timing.against("copying states and views", copy_seconds(copy, env_bytes)) for timing in timings]


def jax_program(game: str, num_agents: int, num_envs: int, steps: int) -> tuple[Workload, int]:
    """Return the JAX game, and the bytes of state and observations that each environment carries from step to step."""
    env = influence_jax.make(game, num_agents=num_agents)
    args = play_arguments(env, num_envs, steps)
    labels = {"game": game, "version": "JAX", "num_envs": num_envs, "num_agents": num_agents, "cores": cores_used()}
    name, options = f"{game}, {num_envs} envs", influence_jax.compiler_options()
    program = compile_program(name, num_envs * steps, play(env), *args, options=options, **labels)
    return program, sum(x.nbytes for x in jax.tree.leaves(args[2])) // num_envs


def play(env: Environment) -> Callable:
    """Return ``(key, actions i32[T,E,N], start) -> (end, rewards)``, which plays T steps of a batch of games."""
    params = env.default_params

    def step(carry, now):
        (state, timestep), (actions, keys) = carry, now
        after = jax.vmap(env.step_or_reset, in_axes=(0, 0, 0, 0, None))(keys, state, timestep, actions, params)
        return after, after[1].reward  # observations stay in the carry; summing them would cost as much as a step

    def run(key, actions, start):
        # Keys are drawn all at once: inside the loop, hashing a few words per step would take slow, tiny kernels.
        return jax.lax.scan(step, start, (actions, jax.random.split(key, actions.shape[:2])))

    return run


def play_arguments(env: Environment, num_envs: int, steps: int) -> tuple:
    """Return arguments for `play`: a key, random actions, and games at their start."""
    reset = jax.jit(jax.vmap(env.reset, in_axes=(0, None)))
    start = reset(jax.random.split(jax.random.key(0), num_envs), env.default_params)
    shape = steps, num_envs, env.spec.num_agents
    return jax.random.key(2), jax.random.randint(jax.random.key(1), shape, 0, env.spec.num_actions), start
