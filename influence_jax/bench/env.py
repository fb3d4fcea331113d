"""How many environment steps a second, pixels out, under random actions? Beside the same games in C, and other packages' games.

The actions are drawn beforehand for all of them.
"""

import dataclasses
import pathlib
import sys
from collections.abc import Callable

import jax

import influence_jax
from influence_jax.bench import limits, peers
from influence_jax.bench.harness import (
    Program,
    Timing,
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

C_LIMIT = "C -O3 -march=native"
C_FLAGS = {C_LIMIT: limits.FLAGS, "C -O2": ("-O2",)}


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What to measure."""

    games: tuple[str, ...] = ("cleanup", "harvest")
    """Registered names."""
    num_agents: int = 5
    """N."""
    num_envs: tuple[int, ...] = (64, 256, 1024)
    """E, one row each."""
    steps: int = 100
    """Environment steps in one call."""
    repeats: int = 7
    """Timed calls of each program, in turns."""
    cores: int | None = 1
    """CPU cores to hold the process to, peers included; None for all."""
    socialjax: pathlib.Path | None = None
    """A checkout of SocialJax, to be measured beside."""
    peer_python: str = sys.executable
    """Interpreter that runs the peers (SocialJax, and JaxMARL where it is installed)."""
    out: pathlib.Path | None = None
    """Directory for env.json."""


SMOKE = ("--games", "cleanup", "--num-envs", "2", "--steps", "2", "--repeats", "1", "--cores", "None")


def main(arguments: Arguments) -> None:
    """Measure every game at every number of environments."""
    use_cores(arguments.cores)
    title = f"Environment steps per second, {arguments.num_agents} agents, pixels, random actions"
    timings = []
    for game in arguments.games:
        for num_envs in arguments.num_envs:
            sizes = game, arguments.num_agents, num_envs, arguments.steps
            with peers.running(*sizes, arguments.socialjax, arguments.peer_python) as beside:
                timings += measure_game(*sizes, arguments.repeats, beside)
            save(arguments.out, "env", title, rows=[timing.row() for timing in timings])
    report(title, timings)


def measure_game(
    game: str, num_agents: int, num_envs: int, steps: int, repeats: int, beside: list[Program]
) -> list[Timing]:
    """Time one game in JAX and what is to be measured ``beside`` it.

    The limit on a CPU is the game in C. Elsewhere, or without a C compiler, it is to read and write states and views once.
    """
    jax_game, env_bytes = jax_program(game, num_agents, num_envs, steps)
    native = c_programs(game, num_agents, num_envs, steps) if jax.default_backend() == "cpu" else []
    if native:
        timings = measure([jax_game, *native, *beside], repeats)
        cores = jax_game.labels["cores"]
        limit = C_LIMIT + ("" if cores == 1 else f" x {cores} cores")
        least = [seconds / (num_envs * steps * cores) for seconds in timings[1].seconds]
    else:
        copy, *timings = measure([memory_copy(), jax_game, *beside], repeats)
        limit, least = "copying states and views", copy_seconds(copy, env_bytes)
    return [timing.against(limit, least) for timing in timings]


def jax_program(game: str, num_agents: int, num_envs: int, steps: int) -> tuple[Program, int]:
    """Return the JAX game, and how many bytes of state and views each environment carries from step to step."""
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
        actions, keys = now
        after = jax.vmap(env.step_or_reset, in_axes=(0, 0, 0, 0, None))(keys, *carry, actions, params)
        return after, after[1].reward  # the views stay in the carry; adding them up would cost as much as a step

    def run(key, actions, start):
        # Keys are drawn at once: in the loop, the few words of each step would be hashed by kernels too small to be fast.
        return jax.lax.scan(step, start, (actions, jax.random.split(key, actions.shape[:2])))

    return run


def play_arguments(env: Environment, num_envs: int, steps: int) -> tuple:
    """Return what `play` is called with: a key, random actions, and games at their start."""
    start = jax.vmap(env.reset, in_axes=(0, None))(jax.random.split(jax.random.key(0), num_envs), env.default_params)
    shape = steps, num_envs, env.spec.num_agents
    return jax.random.key(2), jax.random.randint(jax.random.key(1), shape, 0, env.spec.num_actions), start


def c_programs(game: str, num_agents: int, num_envs: int, steps: int) -> list[Program]:
    """Return the game in C, on one core, once for each set of compiler flags; nothing where there is no compiler."""
    if limits.compiler() is None:
        return []
    labels = {"game": game, "num_envs": num_envs, "num_agents": num_agents, "cores": 1}
    return [
        Program(
            f"{game}, {num_envs} envs, {version}",
            limits.player(game, num_agents, num_envs, steps, flags),
            num_envs * steps,
            labels=labels | {"version": version},
        )
        for version, flags in C_FLAGS.items()
    ]
