"""Kill a run or a sweep at random moments, resume it each time, and compare it with an uninterrupted one.

python -m tests.faults.killed run --kills 25 --terminations 10
python -m tests.faults.killed sweep --kills 25 --terminations 10
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
from collections.abc import Iterator

import jax
import numpy as np

import influence_jax
from tests.conftest import quickly, tiny_arguments
from tests.runtime.runs import assert_same, assert_same_metrics

STOPPED = 75
COMMANDS = {
    "run": "train harvest-a3c --profile small".split(),
    "sweep": "sweep harvest-a3c --profile small --grid learning_rate=1e-3,3e-4 --grid core_size=6,8".split(),
}


def start(arguments: list[str], environment: dict[str, str]) -> subprocess.Popen:
    command = [sys.executable, "-m", "influence_jax", *arguments, "--quiet"]
    return subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def begin_or_go_on(command: list[str], out: pathlib.Path) -> list[str]:
    """Return the arguments that start or continue what is in ``out``."""
    if command[0] == "train":
        return ["resume", str(out)] if (out / "config.json").exists() else [*command, "--out", str(out)]
    return [*command, "--out", str(out), *(["--resume"] if (out / "sweep.json").exists() else [])]


def log_points(out: pathlib.Path) -> int:
    """Return the number of log points, over all programs of a sweep."""
    places = [out / "metrics.jsonl", *out.glob("programs/*/metrics.jsonl")]
    return sum(path.read_bytes().count(b"\n") for path in places if path.exists())


def wait_for_training(process: subprocess.Popen, out: pathlib.Path, seconds: float) -> bool:
    """Wait for a log point of this process, up to a time limit; return whether there is one."""
    before, began = log_points(out), time.monotonic()
    while process.poll() is None and time.monotonic() - began < seconds:
        if log_points(out) > before:
            return True
        time.sleep(0.02)
    return False


def run_through(
    command: list[str], out: pathlib.Path, stops: list[int], environment: dict[str, str], most: float, seed: int
) -> Iterator[str]:
    """Begin or go on, send each signal, and go on until the end; yield what happened.

    One signal of five comes while a process starts, the others within ``most`` seconds of its first log point.
    """
    rng, stops = random.Random(seed), list(stops)
    while True:
        arguments = begin_or_go_on(command, out)
        process, began = start(arguments, environment), time.monotonic()
        number, trained, points = stops.pop() if stops else None, False, log_points(out)
        if number is not None:
            early = rng.random() < 0.2
            trained = wait_for_training(process, out, rng.uniform(0.2, 4) if early else 600)
            if trained:
                time.sleep(rng.uniform(0, most))
            if process.poll() is None:
                process.send_signal(number)
        error = process.communicate()[1]
        status, lived = process.returncode, time.monotonic() - began
        moment = "while training" if trained else "while starting"
        sent = f"{signal.Signals(number).name} {moment}" if number else "left alone"
        yield f"{arguments[0]}, {sent}: status {status} after {lived:.1f} s, from log point {points} on"
        assert status in ({0, -number, STOPPED} if number else {0}), error.decode()
        assert b"Traceback" not in error, error.decode()
        if status == 0:
            return


def compare(whole: pathlib.Path, stopped: pathlib.Path) -> int:
    """Parameters, everything else of the state, and metrics: bit for bit. Return how many runs were compared."""
    one, other = (getattr(found, "runs", [found]) for found in map(influence_jax.load, (whole, stopped)))
    for a, b in zip(one, other, strict=True):
        assert_same(a.state, b.state)
        assert_same_metrics(a.metrics, b.metrics)
        assert all(np.isfinite(x).all() for x in jax.tree.leaves(b.state.params))
    for table in whole.glob("final.csv"):
        assert table.read_bytes() == (stopped / table.name).read_bytes()
    return len(one)


def main(
    command: list[str], kills: int, terminations: int, environment: dict[str, str], most: float, seed: int = 0
) -> Iterator[str]:
    """Yield events, one line for each process."""
    stops = [signal.SIGKILL] * kills + [signal.SIGTERM] * terminations
    random.Random(seed).shuffle(stops)
    with tempfile.TemporaryDirectory() as place:
        whole, stopped = pathlib.Path(place) / "whole", pathlib.Path(place) / "stopped"
        process, began = start([*command, "--out", str(whole)], environment), time.monotonic()
        error = process.communicate()[1]
        assert process.returncode == 0, error.decode()
        yield f"left alone: {log_points(whole)} log points in {time.monotonic() - began:.1f} s"
        landed = 0
        for line in run_through(command, stopped, stops, environment, most, seed):
            landed += "while training: status -9" in line or "while training: status 75" in line
            yield line
        yield f"{landed} of {len(stops)} signals stopped what was training"
        yield f"{compare(whole, stopped)} runs compared: the same to the bit"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("run", "sweep"))
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--terminations", type=int, default=10)
    parser.add_argument("--total-steps", default="6e4", help="long enough for all signals to come before the end")
    given = parser.parse_args()
    command = [*COMMANDS[given.what], *tiny_arguments(total_steps=given.total_steps)]
    for line in main(command, given.kills, given.terminations, quickly(), most=1.0):
        print(line, flush=True)
