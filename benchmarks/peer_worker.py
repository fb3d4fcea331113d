"""Another package's environment, stepped whenever a line arrives on standard input; run by `benchmarks.peers`.

It imports nothing from this package, so that it can run under another interpreter with the peer's versions. It answers with
lines of JSON: first the compile time, then a line after every round of steps.
"""

import importlib
import json
import os
import sys
import time

import jax


def main(package: str, name: str, num_agents: int, num_envs: int, steps: int) -> None:
    """Build ``package.make(name)``, the interface of JaxMARL and SocialJax, and step it with random actions."""
    env = importlib.import_module(package).make(name, num_agents=num_agents)
    num_actions = env.action_space(env.agents[0]).n
    as_they_take_them = list if package == "socialjax" else lambda x: dict(zip(env.agents, x, strict=True))

    def step(carry, now):
        keys, actions = now
        observation, state, reward, _, _ = jax.vmap(env.step)(keys, carry[1], as_they_take_them(actions))
        return (observation, state), reward

    @jax.jit
    def play(carry, key, actions):
        return jax.lax.scan(step, carry, (jax.random.split(key, (steps, num_envs)), actions))

    observation, state = jax.vmap(env.reset)(jax.random.split(jax.random.PRNGKey(0), num_envs))
    key = jax.random.PRNGKey(1)
    actions = jax.random.randint(jax.random.PRNGKey(2), (steps, num_agents, num_envs), 0, num_actions)
    start = time.perf_counter()
    program = play.lower((observation, state), key, actions).compile()
    compile_seconds = time.perf_counter() - start
    # The carry continues from call to call, as in training.
    carry, _ = jax.block_until_ready(program((observation, state), key, actions))
    shape = jax.tree.leaves(observation)[0].shape
    answer(compile_seconds=compile_seconds, observation_shape=shape, jax=jax.__version__)
    for _ in sys.stdin:
        carry, _ = jax.block_until_ready(program(carry, key, actions))
        answer()


def answer(**labels) -> None:
    """Write one line."""
    print(json.dumps(labels), file=answers, flush=True)


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a package prints is no answer
    package, name, *sizes = sys.argv[1:]
    main(package, name, *map(int, sizes))
