"""``influence-jax submit``: the script, run as SLURM would run it, with a stand-in for the sweep that records its arguments."""

import os
import signal
import subprocess
import sys
import time

import pytest

from influence_jax.cli import main
from tests.cli.commands import assert_refused

SWEEP = ["sweep", "harvest-moa", "--profile", "small", "--grid", "learning-rate=1e-3,3e-4,1e-4", "--seeds", "2"]

# Begins a sweep, and stops when it is told; with DONE it ends at once.
PYTHON = """#!/bin/bash
echo "$@" >> calls
out="${@: -2:1}"
mkdir -p "$out"; touch "$out/sweep.json"
trap 'echo saved >> calls; exit 75' USR1
[ "$DONE" ] && exit 0
while true; do sleep 0.05; done
"""


@pytest.fixture
def script(tmp_path, monkeypatch, capsys):
    """Submit from a directory with a space in its name, with stand-ins for Python and scontrol there."""
    place = tmp_path / "a place"
    place.mkdir()
    monkeypatch.chdir(place)
    for name, text in {"python": PYTHON, "scontrol": '#!/bin/bash\necho "scontrol $@" >> calls\n'}.items():
        (place / name).write_text(text)
        (place / name).chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(place / "python"))
    options = ["--array", "0-2%2", "--time", "01:00:00", "--exclusive", "--partition=gpu"]
    assert main(["submit", *options, "--", *SWEEP, "--out", "runs/x"]) == 0
    said = capsys.readouterr()
    assert "shard 0/3: 1 trial x 2 seeds = 2 members" in said.err
    assert said.out.splitlines() == [
        "sbatch runs/x/job.sh  # and when all 3 tasks are done:",
        "influence-jax merge runs/x/shard-* --out runs/x/whole",
    ]
    return place / "runs" / "x" / "job.sh"


@pytest.mark.parametrize("status", [0, 3])
def test_it_sends(tmp_path, monkeypatch, capfd, status):
    command = ["submit", "--array", "0-2", "--send", "--", *SWEEP, "--out", "x"]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (
        main(command) == 2 and "this machine has no sbatch" in capfd.readouterr().err and not list(tmp_path.iterdir())
    )
    (tmp_path / "sbatch").write_text(f"#!/bin/sh\necho got $1\nexit {status}\n")
    (tmp_path / "sbatch").chmod(0o755)
    assert main(command) == (2 if status else 0)
    out, err = capfd.readouterr()
    assert "got x/job.sh" in out and ("sbatch ended with 3" in err if status else "when all 3 tasks are done:" in out)


def run(script, task, **more):
    place = script.parents[2]
    environment = os.environ | {"PATH": f"{place}:{os.environ['PATH']}", "SLURM_ARRAY_JOB_ID": "77", **more}
    return subprocess.Popen(["bash", str(script)], cwd=place, env=environment | {"SLURM_ARRAY_TASK_ID": str(task)})


def test_the_script(script):
    subprocess.run(["bash", "-n", str(script)], check=True)
    place, text = script.parents[2], script.read_text()
    options = [line.removeprefix("#SBATCH ") for line in text.splitlines() if line.startswith("#SBATCH")]
    wanted = (
        "--requeue --signal=B:USR1@120 --open-mode=append --array=0-2%2 --time=01:00:00 --exclusive --partition=gpu"
    )
    assert {*wanted.split(), f"--chdir='{place}'", f"--output='{script.parent}/%A_%a.log'"} == {*options}


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_a_task_that_is_stopped_is_queued_again_and_goes_on(script, number):
    place, begun = script.parents[2], script.parent / "shard-1" / "sweep.json"
    process = run(script, 1)
    for _ in range(200):
        if begun.exists():
            break
        time.sleep(0.05)
    time.sleep(0.2)  # the stand-in is waiting
    process.send_signal(number)
    assert process.wait(30) == 75
    assert run(script, 1, DONE="1").wait(30) == 0
    first, saved, queued, second = (place / "calls").read_text().splitlines()
    assert first == f"-m influence_jax {' '.join(SWEEP)} --shard 1/3 --out {begun.parent} --resume"
    assert second == first and saved == "saved" and queued == "scontrol requeue 77_1"


def test_a_task_that_fails_is_not_queued_again(script):
    place = script.parents[2]
    (place / "python").write_text("#!/bin/bash\nexit 2\n")
    assert run(script, 0).wait(30) == 2 and not (place / "calls").exists()


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        ("", "array is None; allowed: 0-LAST, such as 0-15, or 0-15%4."),
        ("--array 1-4 -- sweep", "array is '1-4'; allowed: 0-LAST"),
        ("--array 0-1", "what follows -- is None; allowed: sweep and its options"),
        ("--array 0-1 -- train harvest-moa", "what follows -- is 'train'; allowed: sweep"),
        ("--array 0-1 -p gpu -- sweep", "'-p' is not an option; allowed before --: long options of sbatch"),
        ("--array 0-1 --time 1 --time 2 -- sweep", "--time is given 2 times"),
        ("--array 0-1 -- sweep harvest-moa", "out is missing in the sweep to submit; allowed: --out DIR."),
        (
            "--array 0-1 -- sweep harvest-moa --out x --resume",
            "resume is True, but submit sets it itself; allowed: nothing",
        ),
        (
            "--array 0-1 -- sweep harvest-moa --out x --shard 0/2",
            "shard is '0/2', but submit sets it itself; allowed: nothing",
        ),
        ("--array 0-1 -- sweep harvest-moa --out x", "grid and random are empty"),
        (
            "--array 0-2 -- sweep harvest-moa --out x --grid discount=.9,.8",
            "0 of 3 where there are 2 trials; allowed: 2",
        ),
    ],
)
def test_refusals(capsys, tmp_path, monkeypatch, arguments, sentence):
    assert_refused(capsys, tmp_path, monkeypatch, f"submit {arguments}", sentence)


def test_nothing_is_overwritten(script, capsys):
    assert main(["submit", "--array", "0-1", "--", *SWEEP, "--out", "runs/x"]) == 2
    assert "which already has a job.sh; allowed: another directory, or submit the script" in capsys.readouterr().err
