"""Kill a run at random moments, resume it each time, and compare with one that was left alone.

python -m tests.faults.killed --kills 25 --terminations 10
"""

import argparse
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

import jax
import numpy as np

import influence_jax
from tests.runtime.runs import assert_same, assert_same_metrics

STOPPED = 75


def start(arguments: list[str], environment: dict[str, str]) -> subprocess.Popen:
    command = [sys.executable, "-m", "influence_jax", *arguments, "--quiet"]
    return subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def run_through(
    train: list[str], out: pathlib.Path, stops: list[int], environment: dict[str, str], seconds: float, seed: int
) -> list[str]:
    """Train, send each signal within so many seconds of a start, and go on until the end; return what happened."""
    rng, story = random.Random(seed), []
    stops = list(stops)
    while True:
        begun = (out / "config.json").exists()
        process = start(["resume", str(out)] if begun else [*train, "--out", str(out)], environment)
        number, began = stops.pop() if stops else None, time.monotonic()
        try:
            error = process.communicate(timeout=None if number is None else rng.uniform(0.2, 1) * seconds)[1]
        except subprocess.TimeoutExpired:
            process.send_signal(number)
            error = process.communicate()[1]
        lived = time.monotonic() - began
        story.append(
            f"{'resume' if begun else 'train'}, signal {number}: status {process.returncode} after {lived:.1f} s"
        )
        expected = {0, -number, STOPPED} if number else {0}
        assert process.returncode in expected and b"Traceback" not in error, (story[-1], error.decode())
        if process.returncode == 0:
            return story


def compare(whole: pathlib.Path, stopped: pathlib.Path) -> None:
    """Parameters, everything else of the state, and metrics: bit for bit."""
    a, b = influence_jax.load(whole), influence_jax.load(stopped)
    assert_same(a.state, b.state)
    assert_same_metrics(a.metrics, b.metrics)
    assert all(np.isfinite(x).all() for x in jax.tree.leaves(b.state.params))


def main(kills: int, terminations: int, train: list[str], environment: dict[str, str], seed: int = 0) -> list[str]:
    stops = [signal.SIGKILL] * kills + [signal.SIGTERM] * terminations
    random.Random(seed).shuffle(stops)
    with tempfile.TemporaryDirectory() as place:
        whole, stopped = pathlib.Path(place) / "whole", pathlib.Path(place) / "stopped"
        for out in (whole, pathlib.Path(place) / "again"):  # the second time without compiling
            began = time.monotonic()
            process = start([*train, "--out", str(out)], environment)
            error = process.communicate()[1]
            assert process.returncode == 0, error.decode()
        story = run_through(train, stopped, stops, environment, time.monotonic() - began, seed)
        compare(whole, stopped)
    return story


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--terminations", type=int, default=10)
    given = parser.parse_args()
    options = (
        "train harvest-moa --profile small --total-steps 6e4 --log-interval 1 --checkpoint-interval 3 --seeds 2".split()
    )
    for line in main(given.kills, given.terminations, options, {}):
        print(line)
