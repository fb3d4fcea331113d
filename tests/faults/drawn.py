"""Draw configurations and command lines at random: each is valid, or refused in one sentence that names a setting.

python -m tests.faults.drawn --count 1000 --train 40
"""

import argparse
import collections
import contextlib
import dataclasses
import io
import os
import pathlib
import re
import shlex
import shutil
import tempfile
import traceback
import warnings
from collections.abc import Callable
from typing import Any
from unittest import mock

import hypothesis
import jax
import numpy as np
from hypothesis import strategies as st

import influence_jax
from influence_jax import envs, presets
from influence_jax.cli import COMMANDS, main
from influence_jax.config import ConfigError, EnvConfig, ExperimentConfig, declared, from_json, to_json
from influence_jax.learner.learner import make_learner
from influence_jax.runtime import directory, population
from influence_jax.runtime import run as runs
from influence_jax.runtime.files import write_json
from influence_jax.settings import FLOAT32_MAX, Allowed, Choices, Integers, Numbers, Texts
from tests.conftest import TINY_MAP

SETTINGS = {path: field.metadata["allowed"] for path, field, _ in declared(ExperimentConfig())}
PROBES = tuple(f"influence_jax.envs.probes:{name}" for name in ("Cue", "Recall", "Stipend", "Severance"))
GAMES = (*envs.registered(), *PROBES)
NOT_A_NUMBER = (
    float("nan"),
    float("inf"),
    -float("inf"),
    1e39,
    "3",
    "",
    None,
    True,
    1j,
    [],
    {},
    b"1",
    np.array([1, 2]),
)
NOT_A_NAME = (
    "nonsense",
    "",
    " ",
    "None",
    ":",
    "no:such",
    "json:",
    ":dumps",
    "json:decoder",
    "a:b:c",
    3,
    None,
    True,
    [],
)
OWN = ("math:floor", "os:getcwd", "json:dumps", "builtins:dict")  # can be imported, and are nothing of the kind


def good(allowed: Allowed, largest: int = 20) -> st.SearchStrategy:
    """Draw a value that a declaration allows, mostly small."""
    match allowed:
        case Integers(low=low, high=high):
            return st.integers(low, min(high, low + largest)) | st.sampled_from([low, high])
        case Numbers(low=low, high=high, length=length):
            one = st.floats(low, high, width=32) | st.floats(max(low, -10), min(high, 10), width=32)
            return one if length is None else st.tuples(*[one] * length)
        case Choices():
            return st.sampled_from(allowed.names())
        case Texts(paths=True):
            return st.just(())
        case Texts():
            return st.lists(st.text("@P AHRSBW", max_size=9), max_size=6).map(tuple) | st.just(TINY_MAP)
    return st.integers(1, 5)  # of a game that declares nothing


def bad(allowed: Allowed) -> st.SearchStrategy:
    """Draw a value that it certainly does not allow."""
    match allowed:
        case Integers(low=low, high=high):
            values = [*NOT_A_NUMBER, low - 1, high + 1, low + 0.5, 10**400]
        case Numbers(low=low, high=high, length=length):
            limits = [low - 1] * (low > -FLOAT32_MAX) + [high + 1] * (high < FLOAT32_MAX)
            values = [*NOT_A_NUMBER, *limits, 10**400]
            if length is not None:
                values += [1.0, (1.0,) * (length + 1), (float("nan"),) * length]
                values = [x for x in values if not isinstance(x, np.ndarray) or len(x) != length]
        case Choices(group=group):
            values = [*(x for x in NOT_A_NAME if x not in allowed.names()), *(OWN if group else ())]
        case Texts(paths=paths):
            values = [3, None, [3], [None], True] + (["nonsense", ["no:such"]] if paths else [])
    return st.sampled_from([x for x in values if x is not None or not allowed.optional])


@dataclasses.dataclass(frozen=True)
class Drawn:
    """A configuration, and the drawn values by path, each marked if it is certainly not allowed."""

    config: ExperimentConfig
    values: dict[str, Any]
    wrong: frozenset[str]


@st.composite
def configurations(draw: Callable) -> Drawn:
    base = draw(st.sampled_from([ExperimentConfig(), *(presets.get(name) for name in presets.names())]))
    values, wrong = {}, set()

    def choose(path, allowed):
        is_wrong = allowed is not None and draw(st.integers(0, 9)) == 0
        values[path] = draw(bad(allowed) if is_wrong else good(allowed))
        wrong.update([path] if is_wrong else [])

    for path in draw(st.lists(st.sampled_from(list(SETTINGS)), max_size=6, unique=True)):
        choose(path, SETTINGS[path])
    env = draw(st.sampled_from([None, *GAMES, *NOT_A_NAME, *OWN]))
    if env in GAMES:
        fields = {f"env.{field.name}": field.metadata.get("allowed") for field in envs.option_fields(env)}
        _, params, _ = envs.configured(EnvConfig(env))
        fields |= {
            f"env.params.{field.name}": envs.number_allowed(field, getattr(params, field.name))
            for field in dataclasses.fields(params)
        }
        for path in draw(st.lists(st.sampled_from(list(fields)), max_size=3, unique=True)):
            choose(path, fields[path])
    elif env is not None:
        wrong.add("env.name")
    config = with_values(base, values)
    if env is not None or wrong & {"env.name"}:
        options = {path.removeprefix("env."): x for path, x in values.items() if path.startswith("env.")}
        params = {
            name.removeprefix("params."): options.pop(name) for name in list(options) if name.startswith("params.")
        }
        config = dataclasses.replace(config, env=EnvConfig(env, options, params))
    return Drawn(config, values, frozenset(wrong))


def with_values(config: ExperimentConfig, values: dict[str, Any]) -> ExperimentConfig:
    for path, value in values.items():
        part, _, name = path.rpartition(".")
        if not part:
            config = dataclasses.replace(config, **{name: value})
        elif not part.startswith("env"):
            changed = dataclasses.replace(getattr(config, part), **{name: value})
            config = dataclasses.replace(config, **{part: changed})
    return config


def check_configuration(drawn: Drawn) -> str:
    """Check that it is refused in a sentence, or has the drawn values and survives writing and reading."""
    try:
        learner = make_learner(drawn.config)
    except ConfigError as error:
        check_sentence(str(error))
        return "refused"
    assert not drawn.wrong, f"{drawn.wrong} accepted"
    config = learner.config
    known = {path: value for path, _, value in declared(config)}
    known |= {f"env.{name}": value for name, value in config.env.options.items()}
    known |= {f"env.params.{name}": value for name, value in config.env.params.items()}
    for path, value in drawn.values.items():
        wanted = np.asarray(value, np.float32).tolist() if path.startswith("env.params.") else value
        found = np.asarray(known[path], np.float32).tolist() if path.startswith("env.params.") else known[path]
        assert found == wanted or value is None, f"{path} is {known[path]!r} and was given as {value!r}"
    assert from_json(to_json(config)) == config
    assert make_learner(from_json(to_json(config))).config == config
    return "valid"


def check_sentence(text: str) -> None:
    """Check for one line that names a setting and says what is allowed."""
    assert len(text.splitlines()) == 1 and "Traceback" not in text, text
    names = {part for path in (*SETTINGS, "env.name", "env.params", "env.") for part in (path, path.rpartition(".")[2])}
    assert ("allowed" in text or "give at least" in text) and any(name in text for name in names if name), text


@st.composite
def trainable(draw: Callable) -> ExperimentConfig:
    """Tiny experiments of every kind, with plausible numbers."""
    config = presets.get(draw(st.sampled_from(list(presets.names()))), draw(st.sampled_from(["paper", "small"])))
    sizes = {
        "seeds": 1,
        "log_interval": 1,
        "network.hidden_size": 4,
        "network.core_size": 4,
        "network.conv_channels": 2,
    }
    sizes |= {"learner.num_envs": draw(st.integers(1, 4)), "learner.rollout_length": draw(st.integers(1, 5))}
    sizes |= {"total_steps": sizes["learner.num_envs"] * sizes["learner.rollout_length"]}
    sizes |= {"learner.ppo_epochs": 2} if config.learner.algorithm == "ppo" else {}
    sizes |= {"learner.ppo_minibatches": 1} if config.learner.algorithm == "ppo" else {}
    fixed = {
        *sizes,
        "seed",
        "keep",
        "tensorboard",
        "loggers",
        "checkpoint_minutes",
        "checkpoint_interval",
        "learner.metrics",
    }
    free = [path for path in SETTINGS if path not in fixed]
    for path in draw(st.lists(st.sampled_from(free), max_size=8, unique=True)):
        allowed = SETTINGS[path]
        if isinstance(allowed, Integers):
            sizes[path] = draw(st.integers(allowed.low, allowed.low + 3))
        elif isinstance(allowed, Numbers):
            sizes[path] = draw(st.floats(max(allowed.low, -3), min(allowed.high, 3), width=32))
        else:
            sizes[path] = draw(good(allowed))
    game = draw(st.sampled_from([*PROBES[:2], "harvest", "box-trapped", "cleanup"]))
    options = {"num_agents": draw(st.integers(2, 3)), "horizon": draw(st.integers(1, 6))}
    options |= {"view_radius": draw(st.integers(1, 2))} if game in envs.registered() else {}
    options |= {"layout": TINY_MAP} if game == "harvest" else {}
    return dataclasses.replace(with_values(config, sizes), env=EnvConfig(game, options))


def check_training(config: ExperimentConfig) -> str:
    """Check that it is refused, or that an update leaves finite parameters, and finite metrics if anything is measured."""
    try:
        learner = make_learner(config)
    except ConfigError as error:
        check_sentence(str(error))
        return "refused"
    run = influence_jax.train(learner)
    assert run.finished and not run.failures
    for tree in (run.state.params, run.state.opt_state):
        assert all(np.isfinite(x).all() for x in jax.tree.leaves(tree) if not _is_key(x))
    for name in ("policy_loss", "value_loss", "entropy", "step_reward", "influence", "current_influence_weight"):
        assert np.isfinite(run.metrics[name]).all(), f"{name} is {run.metrics[name]}"
    assert not any(np.isinf(x).any() for x in run.metrics.values())
    return "trained"


def _is_key(x: Any) -> bool:
    return jax.dtypes.issubdtype(x.dtype, jax.dtypes.prng_key)


WORDS = "nan inf -inf 1e400 -1 0 1 2 3.5 1e-3 2e6 True None [] {} 0x10 1_000 ١٢ -- - = a=b seed=2 :: json:dumps nothing"
GARBAGE = st.sampled_from(
    [*WORDS.split(), "", " ", "\0", "\udcff", "x" * 300, "run", "stray", "swept", "file", "~nobody/x", "a\nb", "--out"]
)
PLACES = st.sampled_from(
    ["run", "a/b", "empty", "begun", "swept", "stray", "file", "file/run", "", "\0", "x" * 300, "~"]
)
OTHERS = {  # options that are no settings, and what may follow them
    "train": "profile config from trust quiet json out env.name devices mesh members-at-once process-id num-processes",
    "resume": "total-steps trust quiet json devices mesh members-at-once coordinator process-id num-processes",
    "best": "count metric space trust json",
    "table": "out final trust",
    "evaluate": "episodes seed greedy interventions update trust json",
    "render": "out member seed fps update trust",
    "presets": "",
    "envs": "",
}
OTHERS["sweep"] = f"grid random trials draw-seed space dry-run resume optuna study at-once metric {OTHERS['train']}"
FLAGS = "trust quiet json greedy dry-run resume help final".split()
USUAL = {
    "profile": ["paper", "small", "large"],
    "out": ["run", "video.gif", "a/b.mp4", "table.csv"],
    "devices": ["1"],
    "mesh": ["member=1", "member=1,env=1"],
    "grid": [
        "learning_rate=1e-3,3e-4",
        "core_size=4,8",
        "env.params.hit-penalty=0,50",
        "model=moa,basic",
        "discount=2",
    ],
    "random": ["entropy_coef=log:1e-4:1e-2", "envy=uniform:0:1", "core_size=choice:4,8", "entropy_coef=log:0:1"],
    "env.name": list(GAMES),
    "metric": ["collective_return"],
    "config": ["begun/config.json", "file", "stray"],
    "space": ["space.json", "file"],
    "optuna": ["sqlite://", "file"],
}


@st.composite
def command_lines(draw: Callable) -> list[str]:
    command = draw(
        st.sampled_from([*(name for name in COMMANDS if name != "bench"), "train", "train", "sweep", "nonsense"])
    )
    line = [command]
    if command in ("train", "sweep") and draw(st.integers(0, 9)):
        line += [draw(st.sampled_from([*presets.names(), "nonsense"]))]
    elif command not in ("train", "sweep") and draw(st.integers(0, 9)):
        line += [draw(st.sampled_from(envs.registered()) if command == "envs" else PLACES)]
    if command in ("train", "sweep") and draw(st.integers(0, 9)):
        line += ["--out", draw(PLACES) if draw(st.integers(0, 4)) == 0 else "run"]
    if command == "sweep" and draw(st.integers(0, 4)):
        line += ["--grid", draw(st.sampled_from(USUAL["grid"]))]
    if command == "render" and draw(st.integers(0, 4)):
        line += ["--out", "video.gif"]
    names = OTHERS.get(command, "").split()
    for _ in range(draw(st.integers(0, 3))):
        if command in ("train", "sweep") and draw(st.booleans()):
            line += draw(setting_texts(draw(st.sampled_from(list(SETTINGS)))))
            continue
        name = draw(
            st.sampled_from([*names, "help", "nonsense"])
            if draw(st.integers(0, 19)) == 0 or not names
            else st.sampled_from(names)
        )
        if name in FLAGS:
            line += [f"--{name}"]
        else:
            usual = st.sampled_from(USUAL.get(name, ["1", "2"]))
            value = draw(usual if draw(st.integers(0, 4)) else GARBAGE)
            line += [f"--{name}={value}"] if draw(st.booleans()) else [f"--{name}", value]
    return line + draw(st.lists(GARBAGE, max_size=1) if draw(st.integers(0, 9)) == 0 else st.just([]))


@st.composite
def setting_texts(draw: Callable, path: str) -> list[str]:
    """A setting as an option, by its whole path or the last part of it."""
    allowed, part, name = SETTINGS[path], *path.rpartition(".")[::2]
    if isinstance(allowed, Choices) and allowed.table == (True, False):
        name = f"no-{name}" if draw(st.booleans()) else name
        return [f"--{part}.{name}".replace("_", "-")]
    option = f"--{name if draw(st.integers(0, 4)) == 0 else path}".replace("_", "-")
    value = draw(GARBAGE) if draw(st.integers(0, 5)) == 0 else draw(good(allowed))
    return [option, *(map(str, value) if isinstance(value, tuple | list) else [str(value)])]


class Reached(Exception):
    """Raised when everything has been checked and tracing would start."""


def reach(learner: Any, members: Any, devices: Any) -> None:
    devices.make_mesh(len(members), learner.config.learner.num_envs)
    raise Reached


@contextlib.contextmanager
def place_with_everything():
    """A working directory with an unfinished run, an unfinished sweep, a file, and directories."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as place, mock.patch.object(runs, "prepare", reach):
        os.chdir(place)
        try:
            for name in ("empty", "stray/things", "begun"):
                pathlib.Path(name).mkdir(parents=True)
            pathlib.Path("file").write_text("nothing of use")
            write_json(pathlib.Path("space.json"), {"grid": {"learning_rate": [1e-3]}})
            learner = make_learner(presets.get("harvest-moa"))
            write_json(pathlib.Path("begun/members.json"), population.member_settings(learner, {}))
            directory.save_config(pathlib.Path("begun"), learner)
            with contextlib.suppress(Reached):
                main(["sweep", "harvest-a3c", "--grid", "learning_rate=1e-3,1e-4", "--out", "swept", "--quiet"])
            yield
        finally:
            os.chdir(before)


def check_command_line(arguments: list[str]) -> str:
    """Check that it is refused in one line with status 2, or passes everything that can be checked before tracing."""
    before = set(pathlib.Path(".").iterdir())
    try:
        ended = run_command(arguments)
        left = set(pathlib.Path(".").iterdir()) - before
        assert ended != "refused" or not left or arguments[0] == "render", left
        return ended
    finally:
        for path in set(pathlib.Path(".").iterdir()) - before:
            shutil.rmtree(path)


def run_command(arguments: list[str]) -> str:
    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            status = main(arguments)
    except Reached:
        return "valid"
    except SystemExit as stop:
        assert not stop.code and out.getvalue(), (stop.code, err.getvalue())
        return "answered"
    if status == 0:
        assert out.getvalue() or "--dry-run" in arguments
        return "answered"
    lines = err.getvalue().splitlines()
    assert status == 2 and len(lines) == 1 and lines[0].startswith("influence-jax: "), (status, lines)
    assert re.search(r"allowed|Did you mean|--help|needs|takes no|holds no|reads 3|give at least", lines[0]), lines
    return "refused"


def examine(
    strategy: st.SearchStrategy, check: Callable, count: int, seed: int = 0
) -> tuple[collections.Counter, list[str]]:
    """Check this many draws; return the number of each outcome, and the failures."""
    counts, failed = collections.Counter(), []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(strategy)
    def each(example):
        try:
            counts[check(example)] += 1
        except Exception as error:
            counts["failed"] += 1
            shown = shlex.join(example) if isinstance(example, list) else repr(getattr(example, "values", example))
            failed.append(f"{shown}\n    {type(error).__name__}: {error}\n{traceback.format_exc(limit=-3)}")

    each()
    return counts, failed


def whole(count: int, train: int) -> bool:
    """Print the outcomes of the draws; return whether all are as expected."""
    found = {"configurations": examine(configurations(), check_configuration, count)}
    with place_with_everything():
        found["command lines"] = examine(command_lines(), check_command_line, count)
    if train:
        found["trained"] = examine(trainable(), check_training, train)
    for name, (counts, failed) in found.items():
        for text in failed:
            print(text)
        print(f"{name}: {dict(counts)}, {len(failed)} that are neither", flush=True)
    return not any(failed for _, failed in found.values())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--train", type=int, default=0)
    given = parser.parse_args()
    raise SystemExit(0 if whole(given.count, given.train) else 1)
