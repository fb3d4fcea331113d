"""What does a moment of influence look like? (Fig. 2 and 14)

The strongest moment of influence, over several episodes, of the seed with the highest return, next to what would have happened
had the influencer done something else.
"""

import pathlib

import numpy as np
import tyro
from conditions import GAMES, RUNS, Game, Scale, joined, place, trained
from items import results_of, write

from influence_jax.analysis.curves import scores

EPISODES = 5
CONDITIONS = ("basic", "modelled")


def main(scale: Scale = "small", games: tuple[Game, ...] = GAMES, out: pathlib.Path = RUNS) -> None:
    """Train agents of both models or read them, and draw the strongest moment of each.

    Args:
        scale: as in conditions.py.
        games: the games.
        out: directory of the runs.
    """
    where = results_of("fig2", scale, out)
    for game in games:
        moments = {}
        for name in CONDITIONS:
            runs = trained(name, game, scale, place(game, scale, out))
            best = int(np.nanargmax(scores(joined(runs), "collective_return")))
            block, member = divmod(best, len(runs[0].members))
            traces = [runs[block].trace(member, seed=seed) for seed in range(EPISODES)]
            moment = max((trace.moments(1)[0] for trace in traces), key=lambda moment: moment.influence)
            moment.image().save(where / f"{scale}_{game}_{name}.png")
            moments[name] = {"seed": best, "moment": repr(moment), "nats": moment.influence}
            print(game, name, moment, flush=True)
        write(where / f"{scale}_{game}.json", moments)


if __name__ == "__main__":
    tyro.cli(main)
