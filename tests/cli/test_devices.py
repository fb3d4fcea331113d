"""Options for devices and hosts."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

import influence_jax
from tests.cli.commands import TRAIN, assert_refused
from tests.conftest import tiny_arguments


@pytest.mark.parametrize(
    "options, sentence",
    [
        ("--devices 9", "devices is 9; allowed: 1"),
        ("--devices x", "devices is 'x'; allowed: whole numbers from 1"),
        ("--mesh member", "mesh is 'member'; allowed: sizes such as member=4,env=2."),
        ("--mesh member=2", "mesh is {'member': 2}, 2 devices; allowed: 1"),
        ("--process-id 1", "process_id is 1, but only --distributed uses it; allowed: nothing"),
        ("--members-at-once 0", "members_at_once is 0; allowed: whole numbers from 1"),
    ],
)
def test_what_is_not_there_is_refused(capsys, tmp_path, monkeypatch, options, sentence):
    assert_refused(capsys, tmp_path, monkeypatch, f"{' '.join(TRAIN)} --seeds 2 --quiet --out x {options}", sentence)


@pytest.mark.slow
def test_two_processes_train_one_run(tmp_path):
    """With two devices each, on one machine: the same numbers as one process with one device.

    Compiled as users compile: without most optimisations jax 0.12 rounds 8 members on a device otherwise than 2.
    """
    options = [*tiny_arguments(seeds="8", total_steps="480"), "--quiet"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    several = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}

    def start(out, env, *more):
        command = [sys.executable, "-m", "influence_jax", *TRAIN, *options, "--out", str(tmp_path / out), *more]
        return subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True)

    joined = ["--distributed", "--coordinator", f"127.0.0.1:{port}", "--num-processes", "2", "--process-id"]
    processes = [start("one", dict(os.environ))] + [start("several", several, *joined, str(i)) for i in range(2)]
    for process in processes:
        error = process.communicate(timeout=300)[1]
        assert process.returncode == 0, error
    one, several = (influence_jax.load(tmp_path / name) for name in ("one", "several"))
    for name in ("collective_return", "policy_loss", "influence"):
        np.testing.assert_array_equal(one.metrics[name], several.metrics[name])
