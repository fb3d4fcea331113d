"""Do messages mean something, and does anybody listen? (Fig. 5)

Every number stands beside its null, and the return beside that of agents who hear random messages. Choosing influential moments
couples messages to states, so that coordination in them is high whatever messages mean and however little they are heeded. Its
null are therefore random messages, which the listener answers as it would, with moments chosen again.
"""

import dataclasses
import pathlib
from typing import Any

import numpy as np
import tyro
from conditions import GAMES, RUNS, Game, Scale, place, trained
from items import results_of, write
from matplotlib.figure import Figure

import influence_jax
from influence_jax import analysis
from influence_jax.analysis.communication import Measured
from influence_jax.analysis.style import legend_below, new_axes, styled
from influence_jax.evaluation.replay import try_everything
from influence_jax.influence.communication import scrambled

CONDITIONS = ("communication", "communication, unpaid", "communication, shuffled")
EPISODES = {"smoke": 2, "small": 20, "full": 20, "paper": 20}
TRIED = 5  # episodes in which every other message is tried, too
STEPS = 200  # of an episode, at least: nulls shift messages by more than 50 steps
SHOWN = {  # and in which unit
    "speaker_consistency": "score, 0 to 1",
    "symbol_action": "nats",
    "action_action": "nats",
    "symbol_action_in_moments": "nats",
}


def measured(run: influence_jax.Run, member: int, episodes: int) -> dict[str, Any]:
    """Return what the messages of one seed mean, each measure as its value, the mean of its null, and p."""
    env = dataclasses.replace(run.learner.env, horizon=max(run.learner.env.horizon, STEPS))
    traces = [influence_jax.play(run.policy(member), env, seed=seed) for seed in range(episodes)]
    messages, actions, influence, policy = (
        np.stack([getattr(trace, name) for trace in traces])
        for name in ("messages", "actions", "influence", "message_log_policy")
    )
    num_messages, num_actions = policy.shape[-1], traces[0].log_policy.shape[-1]
    consistency = analysis.speaker_consistency(messages, actions, num_messages, num_actions)
    symbols, acts = (analysis.instantaneous_coordination(sent, actions) for sent in (messages, actions))
    moments = in_moments(traces[:TRIED], *symbols.best_pair)
    statistics = analysis.influence_statistics(influence, policy)
    found = {"speaker_consistency": consistency.score, "symbol_action": symbols.score, "action_action": acts.score}
    found |= {"symbol_action_in_moments": moments}
    return {name: [x.value, x.null_mean, x.p] for name, x in found.items()} | {
        "vocabulary": consistency.vocabulary,
        "share_of_steps_above_mean": statistics.sparsity,
        "influence": statistics.mean,
    }


def in_moments(traces: list[influence_jax.Trace], speaker: int, listener: int) -> Measured:
    """Return the coordination of a speaker's message and a listener's answer in the speaker's influential moments."""
    answers = [np.log(try_everything(trace).answers[:-1, speaker, :, listener]) for trace in traces]
    said = [(trace.messages[:-1, speaker], trace.message_log_policy[:-1, speaker]) for trace in traces]
    messages, policy = (np.concatenate(x) for x in zip(*said, strict=True))
    actions = np.concatenate([trace.actions[1:, listener] for trace in traces])
    return analysis.selection_null(messages, actions, np.concatenate(answers), policy)


def main(scale: Scale = "small", games: tuple[Game, ...] = GAMES, out: pathlib.Path = RUNS) -> None:
    """Train agents who talk or read them, and measure their messages in whole episodes.

    Args:
        scale: as in conditions.py.
        games: the games.
        out: directory of the runs.
    """
    where, episodes = results_of("fig5", scale, out), EPISODES[scale]
    for game in games:
        results = {}
        for name in CONDITIONS:
            results[name] = []
            for run in trained(name, game, scale, place(game, scale, out)):
                deaf = dataclasses.replace(run.learner, model=scrambled(run.learner.model, "random"))
                heard, not_heard = (
                    influence_jax.evaluate(learner, run.state, episodes).collective_return
                    for learner in (run.learner, deaf)
                )
                for member in range(len(run.members)):
                    value, p = analysis.value_of_messages(heard[member], not_heard[member])
                    worth = {"value_of_messages": [value.value, value.low, value.high, p]}
                    results[name].append(measured(run, member, episodes) | worth)
            print(game, name, *results[name], sep="\n  ", flush=True)
        write(where / f"{scale}_{game}.json", results)
        drawn(results, f"{game}, {scale}").savefig(where / f"{scale}_{game}.png")


@styled
def drawn(results: dict[str, list[dict[str, Any]]], title: str) -> Figure:
    """Draw each measure of each seed, and beside it the mean of its null."""
    figure, panels = new_axes(None, len(SHOWN), title)
    names = [name.replace("communication, ", "").replace("communication", "paid") for name in results]
    for axes, (measure, unit) in zip(panels, SHOWN.items(), strict=True):
        for at, seeds in enumerate(results.values()):
            value, null, _ = np.array([seed[measure] for seed in seeds], float).T
            shown = axes.plot(np.full(len(value), at - 0.12), value, "o", color="#0072b2", label="seed")
            shown += axes.plot(np.full(len(null), at + 0.12), null, "_", color="0.4", label="its null")
        axes.set(title=measure.replace("_", " "), ylabel=unit, ylim=(0, 1.1 * axes.dataLim.y1))
        axes.set(xticks=range(len(names)), xticklabels=names, xlim=(-0.5, len(names) - 0.5))
    legend_below(figure, shown)
    return figure


if __name__ == "__main__":
    tyro.cli(main)
