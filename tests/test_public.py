"""Users' mistakes: many wrong values for every argument, each refused in one sentence that names the argument."""

import dataclasses
import pathlib
import sys

import jax
import numpy as np
import pytest

import influence_jax
from influence_jax import envs, presets
from influence_jax.config import EnvConfig
from influence_jax.evaluation import episodes, intervention
from influence_jax.evaluation.policy import Policy
from influence_jax.evaluation.trace import Trace
from influence_jax.learner.learner import make_learner
from influence_jax.learner.state import LearnerState, Member
from influence_jax.runtime.devices import ALL_DEVICES, Devices
from influence_jax.runtime.run import Run
from influence_jax.settings import ConfigError


class Thing:
    """Nothing in particular."""


CONFIG = presets.get("harvest-moa", profile="small")
LEARNER = make_learner(CONFIG)
STATE = LearnerState(*[None] * len(dataclasses.fields(LearnerState))).replace(update=np.zeros(CONFIG.seeds))
RUN = Run(LEARNER, STATE, 0, {}, [])
POLICY = Policy(LEARNER, Member(None, LEARNER.env_params, None))
KEY = jax.random.key(0)
GAME, TIMESTEP = jax.tree.map(
    lambda x: np.zeros(x.shape, x.dtype), jax.eval_shape(LEARNER.env.reset, KEY, LEARNER.env_params)
)
TRACE = Trace(LEARNER.env, *[None] * 4, actions=np.zeros((3, 5)), log_policy=None, values=None, influence=None)
FILM = influence_jax.Video((np.zeros((4, 4, 3), np.uint8),), 10)
WRONG = (
    *(
        None,
        True,
        False,
        -1,
        1.5,
        float("nan"),
        float("inf"),
        10**12,
        "",
        "nonsense",
        b"x",
        [],
        ["a"],
        {"a": 1},
        Thing(),
    ),
    *(
        np.zeros(3),
        pathlib.Path("/nonexistent/x"),
        RUN,
        LEARNER,
        CONFIG,
        LEARNER.env,
        int,
        range(3),
        print,
        "no.such:thing",
    ),
)


def settings(part):
    """Return a function of the settings of a part of the configuration, and their values."""
    values = CONFIG if part is None else getattr(CONFIG, part)

    def call(**changes):
        changed = dataclasses.replace(values, **changes)
        make_learner(changed if part is None else dataclasses.replace(CONFIG, **{part: changed}))

    return call, {field.name: getattr(values, field.name) for field in dataclasses.fields(values)}


def game(**arguments):
    return make_learner(dataclasses.replace(CONFIG, env=EnvConfig(**arguments)))


TRUST = {"trust": False}
RUNNING = {"devices": ALL_DEVICES, "callback": None}
START = {"seeds": None, "total_steps": None, "resume": False, "start_from": None} | TRUST
SPACE = {"grid": {"learning_rate": [1e-3]}, "random": None, "trials": 1, "draw_seed": 0, "listed": None}
SEARCH = {
    "random": {"learning_rate": "log:1e-4:1e-2"},
    "storage": "sqlite:///x.db",
    "study": "x",
    "trials": 1,
    "at_once": 1,
    "metric": "collective_return",
    "seed": 0,
    "sampler": None,
    "pruner": None,
}
CALLS = {
    "make": (
        influence_jax.make,
        {"name": "harvest", "num_agents": 2, "view_radius": 1, "horizon": 5, "view": "egocentric"},
    ),
    "register": (influence_jax.register, {"name": "harvest", "constructor": type(LEARNER.env)}),
    "presets.get": (presets.get, {"name": "harvest-moa", "profile": "small"}),
    "EnvConfig": (game, {"name": "harvest", "options": {}, "params": {}}),
    "make_learner": (make_learner, {"config": CONFIG}),
    "ExperimentConfig": settings(None),
    "network": settings("network"),
    "influence": settings("influence"),
    "learner": settings("learner"),
    "hyperparams": settings("hyperparams"),
    "evaluate": (influence_jax.evaluate, {"run": RUN, "state": None, "num_episodes": 1, "seed": 0, "greedy": False}),
    "intervene": (influence_jax.intervene, {"run": RUN, "state": None, "num_moments": 1, "seed": 0}),
    "consequences": (
        influence_jax.consequences,
        {"run": RUN, "state": None, "steps": 1, "num_moments": 1, "seed": 0},
    ),
    "play": (influence_jax.play, {"agents": [POLICY], "env": LEARNER.env, "params": None, "seed": 0, "real": False}),
    "cross_play": (
        influence_jax.cross_play,
        {"runs": [POLICY, POLICY], "env": LEARNER.env, "params": None, "num_episodes": 1, "seed": 0, "confidence": 0.9},
    ),
    "Run.policy": (RUN.policy, {"member": 0}),
    "Policy[]": (POLICY.__getitem__, {"agent": 0}),
    "Video": (influence_jax.Video, {"frames": FILM.frames, "fps": 10}),
    "Video.save": (FILM.save, {"path": "x.gif"}),
    "Run.trace": (RUN.trace, {"member": 0, "seed": 0, "real": False}),
    "Run.evaluate": (RUN.evaluate, {"num_episodes": 1, "seed": 0, "greedy": False}),
    "Run.intervene": (RUN.intervene, {"num_moments": 1, "seed": 0}),
    "Policy.at": (POLICY.at, {"state": GAME, "agent_state": None}),
    "Policy.step": (POLICY.step, {"agent_state": POLICY.start(), "timestep": TIMESTEP, "key": KEY}),
    "Trace.world": (TRACE.world, {"time": 0, "actions": [0] * 5}),
    "Trace.frame": (TRACE.frame, {"time": 0, "arrows": True, "views": (), "scale": 8, "title": ""}),
    "Trace.video": (TRACE.video, {"start": 0, "stop": 1, "arrows": True, "views": (), "scale": 8, "title": ""}),
    "Devices": (Devices, {"count": None, "mesh": None, "at_once": None}),
    "grid": (influence_jax.grid, {"seeds": 2, "learning_rate": [1e-3]}),
    "train": (influence_jax.train, {"experiment": CONFIG, "hyperparams": {}, "out": None} | START | RUNNING),
    "resume": (influence_jax.resume, {"out": "nowhere"} | TRUST | RUNNING),
    "load": (influence_jax.load, {"out": "nowhere"} | TRUST),
    "merge": (influence_jax.merge, {"shards": ["nowhere"], "out": "x"} | TRUST),
    "sweep": (influence_jax.sweep, {"experiment": CONFIG, "out": "x", "resume": False} | SPACE | RUNNING),
    "search": (influence_jax.search, {"experiment": CONFIG, "out": "x", "resume": False} | SEARCH | RUNNING),
    "report": (influence_jax.report, {"directories": ["nowhere"]}),
    "Progress": (influence_jax.Progress, {"console": None}),
}
OTHER_WORDS = {
    ("presets.get", "name"): "preset",
    ("EnvConfig", "options"): "env.",
    ("train", "experiment"): "preset is",
    ("Devices", "count"): "devices",
    ("sweep", "experiment"): "preset is",
    ("search", "experiment"): "preset is",
    **{(name, "shards" if name == "merge" else "out"): "holds no" for name in ("resume", "load", "merge")},
    ("train", "start_from"): "holds no",
    ("report", "directories"): "runs",
    **{pair: "setting of a sweep" for pair in (("sweep", "grid"), ("sweep", "random"), ("search", "random"))},
}


class Played(BaseException):
    """Raised once the arguments have been accepted."""


@pytest.mark.parametrize("name", CALLS)
def test_wrong_arguments_are_refused_in_a_sentence_that_names_them(name, monkeypatch):
    def played(*args):
        raise Played

    monkeypatch.setattr(envs, "_REGISTRY", dict(envs._REGISTRY))
    monkeypatch.setattr(sys.modules["influence_jax.runtime.run"], "prepare", played)
    monkeypatch.setattr(sys.modules["influence_jax.sweeps.sweep"], "run_sweep", played)
    monkeypatch.setattr(sys.modules["influence_jax.sweeps.study"], "with_retries", played)
    monkeypatch.setattr(episodes, "_episodes", played)
    monkeypatch.setattr(intervention, "_moments", played)
    monkeypatch.setattr(sys.modules["influence_jax.evaluation.consequences"], "_moments", played)
    monkeypatch.setattr(sys.modules["influence_jax.evaluation.policy"], "_step", played)
    monkeypatch.setattr(sys.modules["influence_jax.evaluation.replay"], "_transition", played)
    monkeypatch.setattr(sys.modules["influence_jax.evaluation.images"], "_arrow_widths", played)
    monkeypatch.setattr(sys.modules["influence_jax.evaluation.play"], "_episode", played)
    monkeypatch.setattr(sys.modules["influence_jax.evaluation.cross_play"], "_returns", played)
    call, right = CALLS[name]
    for argument in right:
        refused = 0
        for wrong in WRONG:
            try:
                call(**right | {argument: wrong})
            except Played:
                continue
            except (ConfigError, TypeError, ValueError) as error:
                if "'nowhere' holds" in str(error):  # the argument is taken, and the directory is not there
                    continue
                refused += 1
                words = argument, OTHER_WORDS.get((name, argument), argument)
                said = str(error)[:500]
                assert any(word in said for word in words) and "\n" not in said, (argument, type(wrong), said)
        assert refused >= 15, f"{name} takes too much for {argument}"


@pytest.mark.parametrize(
    ("name", "read"),
    [("path", FILM.save), ("runs", influence_jax.compare), ("directory", influence_jax.analysis.load_metrics)],
)
def test_paths_are_of_this_machine(name, read, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for path, words in (("s3://bucket/x.gif", "a URL"), ("~nobody-of-that-name/x.gif", "cannot be found")):
        with pytest.raises(ConfigError, match=rf"{name} is '{path}', (which )?{words}"):
            read(path)
    assert not list(tmp_path.iterdir())
