"""Schelling diagrams of scripted players: payoffs of cooperating and defecting by the number of cooperators (Fig. 10).

    python experiments/schelling.py            (some minutes on two cores)

writes ``experiments/results/schelling.json`` and ``schelling.png``. A cooperator in Cleanup cleans and never eats, so its
return is 0 by construction and real cooperators lie above it. A cooperator in Harvest eats only apples with at least two apple
neighbours. Defectors walk to the nearest apple. Everyone acts at random in a tenth of the steps, without firing, which also
breaks deadlocks.
"""

import functools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from matplotlib.figure import Figure

import influence_jax
from influence_jax.analysis import schelling_diagram
from influence_jax.envs import scripted

RESULTS = pathlib.Path(__file__).parent / "results"
AGENTS = 5
COOPERATORS = {
    "cleanup": scripted.cleaner,
    "cleanup-mp": scripted.cleaner,
    "harvest": scripted.sustainable(2),
    "harvest-mp": scripted.sustainable(2),
}


@functools.partial(jax.jit, static_argnums=(0, 1))
def play(env, cooperator, cooperates, keys):
    """Play one episode per key with ``cooperates bool[P,N]``; return the agents' returns f32[P,N]."""
    roles = scripted.noisy(cooperator), scripted.noisy(scripted.greedy)

    def episode(cooperates, key):
        start_key, key = jax.random.split(key)

        def step(state, key):
            *keys, noise_key = jax.random.split(key, 3)
            cooperating, defecting = (role(k, env, state) for role, k in zip(roles, keys, strict=True))
            actions = jnp.where(cooperates, cooperating, defecting)
            state, timestep = env.step(noise_key, state, actions, env.default_params)
            return state, timestep.reward

        state, _ = env.reset(start_key, env.default_params)
        return jax.lax.scan(step, state, jax.random.split(key, env.spec.horizon))[1].sum(axis=0)

    return jax.vmap(episode)(cooperates, keys)


def main(games: tuple[str, ...] = tuple(COOPERATORS), episodes: int = 20) -> None:
    """Play every composition of cooperators and defectors.

    Args:
        games: names of the games.
        episodes: number of episodes per composition.
    """
    figure = Figure(figsize=(3.6 * len(games), 3.3), layout="constrained")
    table = {}
    cooperates = np.repeat(np.tri(AGENTS + 1, AGENTS, -1, dtype=bool), episodes, axis=0)
    for axis, game in zip(figure.subplots(1, len(games), squeeze=False)[0], games, strict=True):
        env = influence_jax.make(game, num_agents=AGENTS)
        keys = jax.random.split(jax.random.key(0), len(cooperates))
        returns = play(env, COOPERATORS[game], cooperates, keys)
        diagram = schelling_diagram(returns, cooperates)
        influence_jax.plot_schelling(diagram, ax=axis, title=game)
        rows = [{name: _short(value) for name, value in row.items()} for row in diagram.rows()]
        table[game] = {"dilemma": diagram.is_dilemma, "rows": rows}
        print(game, "is a dilemma:", diagram.is_dilemma)
        print("  defector  ", diagram.defector.value.round())
        print("  cooperator", diagram.cooperator.value.round())
    (RESULTS / "schelling.json").write_text(json.dumps({"episodes": episodes, "games": table}) + "\n")
    figure.savefig(RESULTS / "schelling.png", dpi=100)


def _short(value: float | int | str) -> float | int | str:
    return round(value, 1) if isinstance(value, float) else value


if __name__ == "__main__":
    tyro.cli(main)
