"""Schelling diagrams of scripted players: payoffs of cooperating and defecting by the number of cooperators (Fig. 10).

A cooperator in Cleanup cleans and never eats, so its return is 0 by construction and real cooperators lie above it. A cooperator
in Harvest eats only apples with enough apple neighbours, two on the full maps and three on the small one. Defectors walk to the
nearest apple. Everyone acts at random in a tenth of the steps, without firing, which also breaks deadlocks.
"""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from conditions import RUNS, Scale, configured
from items import results_of, write
from matplotlib.figure import Figure

import influence_jax
from influence_jax.analysis import Schelling, schelling_diagram
from influence_jax.analysis.style import legend_below, new_axes, styled
from influence_jax.envs import scripted

CLEANER, SPARING = scripted.cleaner, scripted.sustainable(2)
COOPERATORS = {
    "small": {"cleanup": CLEANER, "harvest": scripted.sustainable(3)},
    "full": {"cleanup": CLEANER, "cleanup-mp": CLEANER, "harvest": SPARING, "harvest-mp": SPARING},
}
MAPS_OF = {"smoke": "small", "small": "small", "full": "full", "paper": "full"}
EPISODES = {"smoke": 2, "small": 200, "full": 20, "paper": 20}  # per composition


@functools.partial(jax.jit, static_argnums=(0, 1))
def play(env, cooperator, params, cooperates, keys):
    """Play one episode per key with ``cooperates bool[P,N]``; return the agents' returns f32[P,N]."""
    roles = scripted.noisy(cooperator), scripted.noisy(scripted.greedy)

    def episode(cooperates, key):
        start_key, key = jax.random.split(key)

        def step(state, key):
            *keys, noise_key = jax.random.split(key, 3)
            cooperating, defecting = (role(k, env, state) for role, k in zip(roles, keys, strict=True))
            actions = jnp.where(cooperates, cooperating, defecting)
            state, timestep = env.step(noise_key, state, actions, params)
            return state, timestep.reward

        state, _ = env.reset(start_key, params)
        return jax.lax.scan(step, state, jax.random.split(key, env.spec.horizon))[1].sum(axis=0)

    return jax.vmap(episode)(cooperates, keys)


def returns_of(game: str, scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    """Play every composition of cooperators and defectors; return all returns and who cooperates, ``[P,N]`` each."""
    full = influence_jax.ExperimentConfig(env=influence_jax.EnvConfig(game, num_agents=5))
    learner = influence_jax.make_learner(full if MAPS_OF[scale] == "full" else configured("unpaid", game, "small"))
    agents = learner.env.num_agents
    cooperates = np.repeat(np.tri(agents + 1, agents, -1, dtype=bool), EPISODES[scale], axis=0)
    keys = jax.random.split(jax.random.key(0), len(cooperates))
    cooperator = COOPERATORS[MAPS_OF[scale]][game]
    return np.asarray(play(learner.env, cooperator, learner.env_params, cooperates, keys)), cooperates


def main(scale: Scale = "small", out: pathlib.Path = RUNS) -> None:
    """Play both games, and on the paper's maps Melting Pot's, and draw the diagrams.

    Args:
        scale: "small" plays on the small maps, "full" and "paper" on the paper's, "smoke" two episodes on the small maps.
        out: directory of the results at "smoke".
    """
    where, games = results_of("schelling", scale, out), COOPERATORS[MAPS_OF[scale]]
    diagrams, table = {}, {}
    for game in games:
        returns, cooperates = returns_of(game, scale)
        diagrams[game] = diagram = schelling_diagram(returns, cooperates)
        collective = returns.sum(axis=1).reshape(-1, EPISODES[scale]).mean(axis=1)
        table[game] = {"dilemma": diagram.is_dilemma, "rows": diagram.rows(), "collective": collective}
        print(game, "is a dilemma:", diagram.is_dilemma, "collective", collective.round(1))
        print("  defector  ", diagram.defector.value.round(1))
        print("  cooperator", diagram.cooperator.value.round(1))
    write(where / f"{scale}.json", {"episodes": EPISODES[scale], "games": table})
    drawn(diagrams).savefig(where / f"{scale}.png")


@styled
def drawn(diagrams: dict[str, Schelling]) -> Figure:
    """Draw a panel for each game, and one legend for all."""
    figure, axes = new_axes(None, len(diagrams), "")
    for axis, (game, diagram) in zip(axes, diagrams.items(), strict=True):
        influence_jax.plot_schelling(diagram, ax=axis, title=game)
    handles = axes[0].get_legend().legend_handles
    for axis in axes:
        axis.get_legend().remove()
    legend_below(figure, handles)
    return figure


if __name__ == "__main__":
    tyro.cli(main)
