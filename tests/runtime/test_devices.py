"""The placement of members on devices does not change results."""

import dataclasses
import json
import os
import subprocess
import sys

import pytest

from influence_jax import presets
from influence_jax.config import ConfigError, to_json
from influence_jax.runtime.devices import Devices
from tests.conftest import quickly


@pytest.mark.parametrize(
    "devices, sentence",
    [
        (Devices(count=2), "devices is 2; allowed: 1"),
        (Devices(mesh={"member": 2}), r"mesh is \{'member': 2\}, 2 devices; allowed: 1"),
        (Devices(mesh={"members": 1}), "allowed: sizes of member and env"),
        (Devices(mesh={"env": 2}), r"mesh\['env'\] is 2 for 3; allowed: numbers that divide it"),
    ],
)
def test_what_is_not_there_is_refused(tiny, devices, sentence):
    with pytest.raises(ConfigError, match=sentence):
        devices.make_mesh(tiny.seeds, tiny.learner.num_envs)


@pytest.mark.parametrize(
    "given, sentence",
    [
        ({"count": 0}, "devices is 0; allowed"),
        ({"at_once": 0}, "at_once is 0; allowed"),
        ({"mesh": 3}, "mesh is 3; allowed: sizes"),
    ],
)
def test_what_is_nowhere_is_refused_at_once(given, sentence):
    with pytest.raises(ConfigError, match=sentence):
        Devices(**given)


PROGRAM = """
import json, sys, threading
import jax, jax.numpy as jnp, numpy as np
from influence_jax import presets
from influence_jax.config import from_json
from influence_jax.learner.learner import make_learner
from influence_jax.runtime.devices import Devices
from influence_jax.runtime.program import prepare
from influence_jax.runtime.population import member_settings

learner = make_learner(from_json(sys.stdin.read()))
collectives, found = {}, {}
for name, devices in {
    "one": Devices(count=1), "at once": Devices(count=1, at_once=2), "four": Devices(),
    "environments": Devices(mesh={"member": 2, "env": 2}),
}.items():
    program = prepare(learner, member_settings(learner, {}), devices)
    chunk, state = program.compile(threading.Event()), program.init()
    for _ in range(2):
        state, metrics = chunk(state, jnp.float32(20))
    found[name] = [np.asarray(x) for x in jax.tree.leaves(state.params)] + [np.asarray(metrics["policy_loss"])]
    text = chunk.as_text()
    words = "all-reduce all-gather all-to-all collective-permute reduce-scatter".split()
    collectives[name] = sum(text.count(f" {word}(") + text.count(f" {word}-start(") for word in words)
print(json.dumps({
    "collectives": collectives,
    "same": {name: all(np.array_equal(a, b) for a, b in zip(found["one"], found[name])) for name in found},
    "error": {name: max(float(abs(a - b).max()) for a, b in zip(found["one"], found[name])) for name in found},
}))
"""


@pytest.mark.slow
def test_members_give_the_same_numbers_on_any_devices(tiny):
    """Bit for bit, or up to rounding if environments are split, too. Devices with separate members do not communicate."""
    # Plain gradient descent: Adam takes steps of full size where a gradient is next to nothing but rounding.
    taken = dataclasses.replace(tiny.learner, num_envs=4, optimizer="optax:identity")
    parts = {"env": tiny.env, "network": tiny.network, "learner": taken}
    config = dataclasses.replace(presets.get("harvest-a3c", profile="small"), seeds=8, log_interval=10, **parts)
    flags = {"XLA_FLAGS": quickly().get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4"}
    out = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=to_json(config),
        env=os.environ | quickly() | flags,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = json.loads(out.splitlines()[-1])
    assert found["same"] == {"one": True, "at once": True, "four": True, "environments": False}
    assert found["error"]["environments"] < 1e-5
    assert found["collectives"] | {"environments": 0} == dict.fromkeys(found["collectives"], 0)
    assert found["collectives"]["environments"] > 0
