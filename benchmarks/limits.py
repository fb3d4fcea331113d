"""How many environment steps per second, compared with the same games in C, the limit of what a CPU can do?"""

import functools

import jax

from benchmarks import c_games
from influence_jax.bench import env
from influence_jax.bench.harness import Timing, Workload, measure
from influence_jax.config import ConfigError

C_LIMIT = "C -O3 -march=native"
C_FLAGS = {C_LIMIT: c_games.FLAGS, "C -O2": ("-O2",)}

Arguments = env.Arguments
SMOKE = env.SMOKE


def main(arguments: Arguments) -> None:
    """Measure every game with every number of environments."""
    env.measure_games(arguments, "limits", functools.partial(measure_game, repeats=arguments.repeats))


def measure_game(game: str, num_agents: int, num_envs: int, steps: int, repeats: int) -> list[Timing]:
    """Time one game in JAX and, on one core, in C.

    Raises:
        ConfigError: JAX is not on the CPU, there is no C compiler, or the game is not written in C.
    """
    if jax.default_backend() != "cpu":
        raise ConfigError(f"JAX runs on a {jax.default_backend()} and C on the CPU; allowed: JAX_PLATFORMS=cpu.")
    in_c = c_programs(game, num_agents, num_envs, steps)
    in_jax, _ = env.jax_program(game, num_agents, num_envs, steps)
    timings = measure([in_jax, *in_c], repeats)
    cores = in_jax.labels["cores"]
    limit = C_LIMIT + ("" if cores == 1 else f" x {cores} cores")
    least = [seconds / (num_envs * steps * cores) for seconds in timings[1].seconds]
    return [timing.against(limit, least) for timing in timings]


def c_programs(game: str, num_agents: int, num_envs: int, steps: int) -> list[Workload]:
    """Return the game in C, once for each set of compiler flags."""
    labels = {"game": game, "num_envs": num_envs, "num_agents": num_agents, "cores": 1}
    return [
        Workload(
            f"{game}, {num_envs} envs, {version}",
            c_games.player(game, num_agents, num_envs, steps, flags),
            num_envs * steps,
            labels=labels | {"version": version},
        )
        for version, flags in C_FLAGS.items()
    ]
