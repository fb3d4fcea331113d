"""Returns of scripted players in both games, next to those of the same behaviour in the public NumPy code.

    python experiments/calibration.py            (about ten minutes on one core)

writes ``experiments/results/calibration.json`` and prints the table. A row is one behaviour in one game: the mean return of
all agents together over an episode of 1000 steps, its standard error, and the anchor. The scripts behind the anchors are only
described in words, so a small difference may be due to the script. Where waste appears about as fast as it is cleaned (one
cleaner, or two under the lottery rule), small differences in the script cause large differences in the return.
"""

import functools
import json
import pathlib
import time

import jax
import numpy as np

from influence_jax.envs import make, scripted

EPISODES = 100
RESULT = pathlib.Path(__file__).parent / "results" / "calibration.json"

HARVESTER = scripted.noisy(scripted.greedy)
CLEANER = scripted.noisy(scripted.cleaner)


def team(cleaners):
    """Return a team of five: ``cleaners`` cleaners, and harvesters."""
    return scripted.team(*[CLEANER] * cleaners, *[HARVESTER] * (5 - cleaners))


# (behaviour, game, anchor as text, player)
ROWS = [
    ("uniform random", "cleanup", "-6020 +- 995", scripted.uniform),
    ("uniform random", "harvest", "-3426 +- 941", scripted.uniform),
    ("uniform random, no fire", "cleanup", "27 +- 10", scripted.uniform_without_fire),
    ("uniform random, no fire", "harvest", "354 +- 44", scripted.uniform_without_fire),
    ("uniform random, no fire", "harvest-mp", "447 (410-516)", scripted.uniform_without_fire),
    ("greedy", "cleanup", "0", scripted.greedy),
    ("greedy", "cleanup-mp", "0", scripted.greedy),
    ("greedy", "harvest", "170", scripted.greedy),
    ("greedy", "harvest-mp", "190", scripted.greedy),
    *((f"eats with >= {k} apple neighbours", "harvest", anchor, scripted.sustainable(k))
      for k, anchor in enumerate(("450", "1345", "1555", "1052"), 1)),
    *((f"eats with >= {k} apple neighbours", "harvest-mp", anchor, scripted.sustainable(k))
      for k, anchor in enumerate(("489", "1572", "1997", "1630"), 1)),
    *((f"{k} cleaners, {5 - k} harvesters", "cleanup", anchor, team(k))
      for k, anchor in enumerate(("38 (10 each)", "1390-1880 (545 each)", "1450 (725 each)", "795 (795 each)"), 1)),
    *((f"{k} cleaners, {5 - k} harvesters", "cleanup-mp", anchor, team(k))
      for k, anchor in enumerate(("345 (85 each)", "1980 (660 each)", "1440 (725 each)", "810 (810 each)"), 1)),
]  # fmt: skip


@functools.partial(jax.jit, static_argnums=(0, 1))
def play(env, player, keys):
    """Play one episode per key; return total rewards f32[E,N] and metrics, and the mean visibility f32[E]."""

    def episode(key):
        reset_key, key = jax.random.split(key)
        params = env.default_params

        def step(state, key):
            player_key, noise_key = jax.random.split(key)
            actions = player(player_key, env, state)
            state, reward, _, metrics = env.dynamics(state, actions, env.sample_noise(noise_key, params), params)
            pairs = env.num_agents * (env.num_agents - 1)
            return state, (reward, metrics, env.observe(state)[1].sum() / pairs)

        _, (reward, metrics, visible) = jax.lax.scan(
            step, env.initial_state(reset_key, params), jax.random.split(key, env.spec.horizon)
        )
        return reward.sum(0), jax.tree.map(lambda x: x.sum(0), metrics), visible.mean()

    return jax.vmap(episode)(keys)


def main():
    """Print the table row by row, then write it."""
    table = []
    for behaviour, game, anchor, player in ROWS:
        begin = time.perf_counter()
        keys = jax.random.split(jax.random.key(0), EPISODES)
        returns, metrics, visible = jax.device_get(play(make(game), player, keys))
        collective = returns.sum(axis=1)
        row = {
            "behaviour": behaviour,
            "game": game,
            "anchor": anchor,
            "collective_return": round(float(collective.mean()), 1),
            "standard_error": round(float(collective.std(ddof=1) / np.sqrt(EPISODES)), 1),
            "standard_deviation": round(float(collective.std(ddof=1)), 1),
            "return_by_agent": [round(float(x), 1) for x in returns.mean(axis=0)],
            "visible_share": round(float(visible.mean()), 3),
            "facts_per_episode": {name: round(float(x.sum(axis=1).mean()), 1) for name, x in metrics.items()},
        }
        table.append(row)
        print(
            f"{behaviour:32}{game:12}{row['collective_return']:>9} +- {row['standard_error']:<7}anchor {anchor:22}"
            f"visible {row['visible_share']}  by agent {row['return_by_agent']}  {time.perf_counter() - begin:.0f} s",
            flush=True,
        )
    RESULT.parent.mkdir(exist_ok=True)
    record = {"episodes": EPISODES, "horizon": 1000, "num_agents": 5, "jax": jax.__version__, "rows": table}
    RESULT.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
