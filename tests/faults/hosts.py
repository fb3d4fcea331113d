"""Several processes that train one run give the same numbers as one, also after one is killed and all are restarted.

python -m tests.faults.hosts
"""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

import influence_jax
from tests.conftest import quickly, tiny_arguments
from tests.faults.killed import compare, wait_for_training

TRAIN = ["train", "harvest-moa", "--profile", "small"]
PATIENCE = 600.0  # seconds after which a process that waits for one that is gone counts as hanging


def start(count: int, arguments: list[str], devices: int = 1) -> list[subprocess.Popen]:
    """Start several processes with several devices each."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | quickly()
    flags = f"{environment.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    joined = ["--distributed", "--coordinator", f"127.0.0.1:{port}", "--num-processes", str(count), "--process-id"]
    return [
        subprocess.Popen(
            [sys.executable, "-m", "influence_jax", *arguments, "--quiet", *([*joined, str(i)] if count > 1 else [])],
            env=environment | {"XLA_FLAGS": flags},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(count)
    ]


def finish(processes: list[subprocess.Popen]) -> None:
    """Wait for all processes and check that they succeeded."""
    for process in processes:
        error = process.communicate(timeout=PATIENCE)[1]
        assert process.returncode == 0, error


def one_is_killed(arguments: list[str], out: pathlib.Path, victim: int) -> str:
    """Kill one of two processes while they train, and wait for the other; return its output."""
    processes = start(2, [*arguments, "--out", str(out)])
    assert wait_for_training(processes[0], out, PATIENCE)
    time.sleep(0.5)
    assert all(process.poll() is None for process in processes), "they were done before"
    processes[victim].send_signal(signal.SIGKILL)
    processes[victim].communicate()
    began, other = time.monotonic(), processes[1 - victim]
    try:
        error = other.communicate(timeout=PATIENCE)[1]
    except subprocess.TimeoutExpired:
        other.kill()
        raise AssertionError(f"process {1 - victim} still waits after {PATIENCE:.0f} s") from None
    return f"status {other.returncode} after {time.monotonic() - began:.1f} s, and said:\n{error.rstrip()}"


if __name__ == "__main__":
    train = [*TRAIN, *tiny_arguments(seeds="8", total_steps="1.8e4")]
    with tempfile.TemporaryDirectory() as place:
        one = pathlib.Path(place) / "one"
        finish(start(1, [*train, "--out", str(one)]))
        print(f"one process: {len(influence_jax.load(one).metrics['update'])} log points", flush=True)
        for count, devices in ((4, 1), (2, 2)):
            out = pathlib.Path(place) / f"{count} x {devices}"
            finish(start(count, [*train, "--out", str(out)], devices))
            compare(one, out)
            print(f"{count} processes with {devices} devices each: the same to the bit", flush=True)
        for victim in (1, 0):
            out = pathlib.Path(place) / f"without {victim}"
            print(
                f"process {victim} of 2 was killed; the other ended with {one_is_killed(train, out, victim)}",
                flush=True,
            )
            finish(start(2, ["resume", str(out)]))
            compare(one, out)
            print("both were started again, with resume: the same to the bit", flush=True)
