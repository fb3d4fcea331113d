"""A tour of the public names: two runs, an episode, policies at a chosen state, agents of both runs in one game, a comparison.

    python experiments/workbench.py --out runs/workbench            (a minute or two on two cores)

Agents with and without an influence reward learn on a small Harvest. Both runs, a video and a figure are saved in the
directory.
"""

import dataclasses
import pathlib

import jax
import tyro

import influence_jax

LAYOUT = ("@@@@@@@@@", "@P AA  P@", "@  AAA  @", "@P  A  P@", "@@@@@@@@@")
WEIGHTS = {"unpaid": 0.0, "paid": 2.5}  # influence weights


def main(out: pathlib.Path, steps: float = 1e5, seeds: int = 5) -> None:
    """Train both, look at a moment, let their agents play together, and compare them.

    Args:
        out: a new directory.
        steps: environment steps of each seed.
        seeds: number of seeds per run.
    """
    config = influence_jax.presets.get("harvest-moa", profile="small")
    config = dataclasses.replace(
        config,
        env=influence_jax.EnvConfig("harvest", num_agents=2, horizon=100, view_radius=2, layout=LAYOUT),
        network=dataclasses.replace(config.network, core_size=32),
        hyperparams=config.hyperparams.replace(influence_curriculum=0.0),
        log_interval=5,
    )
    for name, weight in WEIGHTS.items():
        members = influence_jax.grid(seeds=seeds, influence_weight=[weight])
        influence_jax.train(config, total_steps=steps, hyperparams=members, out=out / name)
    unpaid, paid = runs = [influence_jax.load(out / name) for name in WEIGHTS]
    print(*runs, sep="\n")

    trace = paid.trace(member=0, seed=1)
    trace.video(out / "episode.gif")
    moment = int(trace.influence.max(axis=(1, 2)).argmax())
    print(f"{trace}; most influence, {trace.influence.max():.2g} nats, in step {moment}")

    state = jax.tree.map(lambda x: x[moment], trace.states)
    decision = paid.policy(member=0).at(state)
    names = trace.env.spec.action_names
    print("had an episode begun there:")
    for agent, (probabilities, value) in enumerate(zip(decision.probabilities, decision.values, strict=True)):
        likely = names[probabilities.argmax()]
        print(f"  agent {agent}: {likely} with probability {probabilities.max():.2f}, value {value:.2f}")

    meeting = influence_jax.play([unpaid.policy(0)[0], paid.policy(0)[1]], seed=1)
    print("an unpaid agent 0 meets a paid agent 1:", meeting)

    comparison = influence_jax.compare(dict(zip(WEIGHTS, runs, strict=True)))
    print(comparison)
    influence_jax.plot_comparison(comparison).savefig(out / "comparison.png")


if __name__ == "__main__":
    tyro.cli(main)
