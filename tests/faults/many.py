"""Many members in one run, and many experiments in one process: the resources that they use and leave behind.

python -m tests.faults.many members --count 2048
python -m tests.faults.many experiments --count 20
python -m tests.faults.many alone
"""

import argparse
import ctypes
import dataclasses
import gc
import os
import pathlib
import re
import tempfile
import time

import jax
import numpy as np

import influence_jax
from influence_jax import presets
from influence_jax.config import EnvConfig, ExperimentConfig, Hyperparams
from tests.conftest import TINY_MAP
from tests.learner.worlds import MODELS, probe_config


def megabytes() -> float:
    """Return the resident memory of this process, without freed memory that its allocator keeps."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    return status("VmRSS") / 2**10


def status(name: str) -> int:
    """Return a number that Linux knows of this process."""
    return int(re.search(rf"^{name}:\s+(\d+)", pathlib.Path("/proc/self/status").read_text(), re.MULTILINE)[1])


def many_members(count: int, log_points: int = 10) -> dict[str, float]:
    """Train tiny members in one run directory; return the resources used."""
    config = presets.get("harvest-a3c", profile="small")
    config = dataclasses.replace(
        config,
        env=EnvConfig("influence_jax.envs.probes:Cue"),
        network=dataclasses.replace(config.network, conv_channels=2, hidden_size=4, core_size=4),
        learner=dataclasses.replace(config.learner, num_envs=2, rollout_length=4),
        total_steps=8 * log_points,
        seeds=count,
        log_interval=1,
        checkpoint_interval=log_points // 2,
    )
    threads, files, moments = [], [], []

    def look(point):
        threads.append(status("Threads"))
        files.append(len(os.listdir("/proc/self/fd")))
        moments.append(time.perf_counter())

    before = {"threads": status("Threads"), "open files": len(os.listdir("/proc/self/fd"))}
    with tempfile.TemporaryDirectory() as place:
        run = influence_jax.train(config, out=pathlib.Path(place) / "run", callback=look)
        assert run.finished and not run.failures
        paths = [path for path in pathlib.Path(place).rglob("*") if path.is_file()]
        began = time.perf_counter()
        loaded = influence_jax.load(pathlib.Path(place) / "run")
        np.testing.assert_array_equal(loaded.metrics["policy_loss"], run.metrics["policy_loss"])
        return {
            **{f"{name} before": x for name, x in before.items()},
            "threads while training": max(threads),
            "open files while training": max(files),
            "seconds per log point": float(np.median(np.diff(moments))),
            "longest log point, with a checkpoint, in seconds": float(np.diff(moments).max()),
            "files in the directory": len(paths),
            "megabytes of the directory": sum(path.stat().st_size for path in paths) / 2**20,
            "megabytes of a log point": (pathlib.Path(place) / "run" / "metrics.f32").stat().st_size
            / 2**20
            / log_points,
            "seconds to load it": time.perf_counter() - began,
            "megabytes resident": megabytes(),
        }


def experiments(count: int) -> list[ExperimentConfig]:
    """Return experiments whose programs all differ."""
    found = []
    for number in range(count):
        config = presets.get(("harvest-moa", "harvest-a3c", "harvest-communication")[number % 3], profile="small")
        found.append(
            dataclasses.replace(
                config,
                env=EnvConfig("harvest", num_agents=2, horizon=10 + number, layout=TINY_MAP, view_radius=2),
                network=dataclasses.replace(config.network, conv_channels=2, hidden_size=8, core_size=8),
                learner=dataclasses.replace(config.learner, num_envs=3, rollout_length=4),
                total_steps=3 * 4 * 4,
                log_interval=2,
            )
        )
    return found


def one_experiment(config: ExperimentConfig) -> None:
    """Train, evaluate, trace, and step by hand."""
    with tempfile.TemporaryDirectory() as place:
        run = influence_jax.train(config, out=pathlib.Path(place) / "run")
        influence_jax.evaluate(run.learner, run.state, 2)
        influence_jax.evaluate(run.learner, run.state, 2, greedy=True)
        trace = run.trace()
        assert len(trace.rewards) == config.env.options["horizon"]
        run.policy().at(jax.tree.map(lambda x: x[0], trace.states))


def differences(model: str) -> dict[int, float]:
    """Return the largest difference between member 17 of 64 and the same member of another population, after 20 updates."""

    def member(seeds: int, seed: int, number: int) -> list[np.ndarray]:
        config = probe_config(
            seeds=seeds,
            seed=seed,
            total_steps=4 * 5 * 20,
            influence=MODELS[model],
            hyperparams=Hyperparams(influence_weight=0.5),
        )
        run = influence_jax.train(config)
        return [x[number] for x in jax.tree.leaves((run.state.params, run.state.opt_state))]

    among = member(64, 0, 17)
    others = {count: member(count, 17, 0) for count in (1, 2, 3)}
    return {
        count: max(float(np.abs(a - b).max()) for a, b in zip(among, x, strict=True)) for count, x in others.items()
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("members", "experiments", "alone"))
    parser.add_argument("--count", type=int)
    given = parser.parse_args()
    if given.what == "members":
        for name, value in many_members(given.count or 2048).items():
            print(f"{name}: {value:.3g}" if isinstance(value, float) else f"{name}: {value}")
    elif given.what == "alone":
        for model in MODELS:
            print(f"{model}: member 17 of 64 beside the same among 1, 2, 3: {differences(model)}", flush=True)
    else:
        print(f"before: {megabytes():.0f} MB", flush=True)
        for number, config in enumerate(experiments(given.count or 20), start=1):
            began = time.perf_counter()
            one_experiment(config)
            print(f"after {number}: {megabytes():.0f} MB ({time.perf_counter() - began:.1f} s)", flush=True)
