"""Do the small games have the shape of a Schelling diagram if their players are *trained* (Fig. 10)?

Cooperators are trained to value the others' rewards, defectors are selfish, and every number of cooperators from none to all
learns together. Payoffs are the environment's own rewards in the last fifth of a run. schelling.py has scripted players.
"""

import pathlib

import numpy as np
import tyro
from conditions import GAMES, RUNS, SIZES, Game, Scale, configured, finished, late, place
from items import results_of, write

import influence_jax
from influence_jax import analysis


def trained_teams(game: Game, scale: Scale, out: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """Train every number of cooperators with several seeds; return all agents' returns and who cooperates, ``[S,N]`` each."""
    config = configured("prosocial", game, scale)
    agents, eta = influence_jax.make_learner(config).env.num_agents, config.hyperparams.prosocial_weight
    teams = np.tri(agents + 1, agents, -1, dtype=bool)  # the first c agents cooperate
    members = influence_jax.grid(seeds=SIZES[scale].seeds, prosocial_weight=np.where(teams, eta, 0.0))
    where = place(game, scale, out) / "teams"
    with influence_jax.Progress() as progress:
        run = influence_jax.train(config, hyperparams=members, out=where, resume=True, callback=progress)
    return late(finished(run).metrics, "agent_returns"), members["prosocial_weight"] > 0


def main(scale: Scale = "small", games: tuple[Game, ...] = GAMES, out: pathlib.Path = RUNS) -> None:
    """Train all teams, or read them; write every agent's payoff and the diagrams.

    Args:
        scale: as in conditions.py.
        games: the games.
        out: directory of the runs; an unfinished one is resumed, a finished one is read.
    """
    for game in games:
        returns, cooperates = trained_teams(game, scale, out)
        diagram = analysis.schelling_diagram(returns, cooperates)
        path = results_of("schelling_learned", scale, out) / f"{scale}_{game}"
        found = {"dilemma": diagram.is_dilemma, "rows": diagram.rows()}
        write(path.with_suffix(".json"), found | {"cooperators": cooperates.sum(axis=1), "returns": returns})
        influence_jax.plot_schelling(diagram, title=f"{game}, {scale}").savefig(path.with_suffix(".png"))
        print(game, "is a dilemma:", diagram.is_dilemma, diagram, sep="\n", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
