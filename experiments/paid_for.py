"""What do agents do who are paid for the influence that their models of others estimate, and is it influence?

Agents of the condition "modelled", the same agents without pay, and its controls play whole episodes on a small map, in which
the real influence of every action is known. It stands beside their models' estimate, by action, and beside what they eat.
"""

import pathlib
from typing import Any

import numpy as np
import tyro
from conditions import RUNS, Game, Scale, place, trained
from items import results_of, write
from matplotlib.figure import Figure

import influence_jax
from influence_jax import analysis
from influence_jax.analysis.style import LINES, legend_below, new_axes, styled

CONTROLS = ("unpaid", "shuffled", "noise", "entropy", "idling")
CONDITIONS = ("modelled", *(f"modelled, {control}" for control in CONTROLS))
EPISODES = {"smoke": 1, "small": 5}


def watched(run: influence_jax.Run, member: int, episodes: int) -> dict[str, Any]:
    """Return the means over a member's episodes: what agents do, earn and see, and their influence, modelled and real."""
    traces = [run.trace(member, seed, real=True) for seed in range(episodes)]
    names = run.learner.env.spec.action_names
    apart = ~np.eye(run.learner.env.num_agents, dtype=bool)
    actions, rewards, visible, modelled, real = (
        np.stack([getattr(trace, name) for trace in traces])
        for name in ("actions", "rewards", "visible", "influence", "known_influence")
    )
    position = np.stack([trace.states.position[:-1] for trace in traces]).astype(int)
    distance = np.abs(position[:, :, :, None] - position[:, :, None]).max(axis=-1)
    pairs = visible & apart
    pairs[:, -1] = False  # nobody acts after the last step
    acted = np.broadcast_to(actions[..., None], pairs.shape)[pairs]
    by_action = {
        name: {
            "share of actions": float((actions == action).mean()),
            "modelled influence": float(modelled[pairs][acted == action].mean()) if (acted == action).any() else None,
            "real influence": float(real[pairs][acted == action].mean()) if (acted == action).any() else None,
        }
        for action, name in enumerate(names)
    }
    return {
        "return": float(rewards.sum(axis=(1, 2)).mean()),
        "reward so far": rewards.sum(axis=2).cumsum(axis=1).mean(axis=0),
        "distance": float(distance[..., apart].mean()),
        "in view": float(visible[..., apart].mean()),
        "modelled influence": float(modelled[pairs].mean()),
        "real influence": float(real[pairs].mean()),
        "by action": by_action,
    }


@styled
def drawn(found: dict[str, list[dict[str, Any]]]) -> Figure:
    """Draw what is earned during an episode, with 95 % intervals over seeds, and each seed's return by its real influence."""
    figure, (earned, influence) = new_axes(None, 2, "")
    handles = []
    for (name, seeds), style in zip(found.items(), LINES, strict=False):
        curves = analysis.t_interval(np.array([seed["reward so far"] for seed in seeds]), axis=0)
        steps = np.arange(1, len(curves.value) + 1)
        plain = {key: value for key, value in style.items() if key != "marker"}
        earned.plot(steps, curves.value, **plain)
        earned.fill_between(steps, curves.low, curves.high, color=style["color"], alpha=0.2, linewidth=0)
        at = ([seed[column] for seed in seeds] for column in ("real influence", "return"))
        handles += influence.plot(*at, label=name, alpha=0.7, **style | {"linestyle": ""})
    earned.set(xlabel="step of the episode", ylabel="collective reward so far")
    influence.set(xlabel="real influence on another in view (nats)", ylabel="collective return")
    legend_below(figure, handles)
    return figure


def main(
    scale: Scale = "small",
    game: Game = "harvest",
    names: tuple[str, ...] = CONDITIONS,
    out: pathlib.Path = RUNS,
) -> None:
    """Train the conditions or read them, and write what each seed's agents do, and a figure.

    Args:
        scale: "smoke" or "small".
        game: the game.
        names: the conditions.
        out: directory of the runs.
    """
    if scale not in EPISODES:
        raise SystemExit(
            f"scale is {scale!r}, but real influence takes too long there; allowed: {', '.join(EPISODES)}."
        )
    path = results_of("paid_for", scale, out) / f"{scale}_{game}.json"
    found: dict[str, list[dict[str, Any]]] = {}
    for name in names:
        for run in trained(name, game, scale, place(game, scale, out)):
            found.setdefault(name, []).extend(
                watched(run, member, EPISODES[scale]) for member in range(len(run.members))
            )
        means = {key: np.mean([seed[key] for seed in found[name]]) for key in ("return", "real influence", "in view")}
        print(name, means, flush=True)
    write(path, found)
    drawn(found).savefig(path.with_suffix(".png"))


if __name__ == "__main__":
    tyro.cli(main)
