"""How many environment steps a second, pixels out, random actions?

``python -m benchmarks.env --one-core`` holds the process to one core before JAX starts.
"""

import dataclasses
import os

import tyro


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
    """Timed calls."""
    one_core: bool = False
    """Use a single core."""
    save: str | None = None
    """Name of the results file, without ending."""


def main(arguments: Arguments) -> None:
    """Measure every game at every number of environments."""
    import jax

    import influence_jax
    from benchmarks.harness import measure, report

    def play(env, params, num_envs):
        def step(carry, key):
            state, timestep = carry
            action_key, env_key = jax.random.split(key)
            actions = jax.random.randint(action_key, (num_envs, env.spec.num_agents), 0, env.spec.num_actions)
            keys = jax.random.split(env_key, num_envs)
            after = jax.vmap(env.step_or_reset, in_axes=(0, 0, 0, 0, None))(keys, state, timestep, actions, params)
            return after, after[1].reward  # the views stay in the carry; adding them up would cost as much as a step

        def run(key, carry):
            return jax.lax.scan(step, carry, jax.random.split(key, arguments.steps))

        carry = jax.vmap(env.reset, in_axes=(0, None))(jax.random.split(jax.random.key(0), num_envs), params)
        return run, (jax.random.key(1), carry)

    timings = []
    for game in arguments.games:
        env = influence_jax.make(game, num_agents=arguments.num_agents)
        for num_envs in arguments.num_envs:
            run, args = play(env, env.default_params, num_envs)
            units = num_envs * arguments.steps
            timings.append(measure(f"{game}, {num_envs} envs", units, run, *args, repeats=arguments.repeats))
    title = f"Environment steps per second, {arguments.num_agents} agents, pixels, random actions"
    report(title, timings, arguments.save)


if __name__ == "__main__":
    arguments = tyro.cli(Arguments, description=__doc__)
    if arguments.one_core:
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    main(arguments)
