"""How many members fit; the formula itself is measured in the benchmarks."""

import dataclasses
import os
import resource

import pytest

from influence_jax.config import ConfigError
from influence_jax.learner.learner import make_learner
from influence_jax.runtime.memory import device_memory, members_that_fit, memory_parts, peak_formula, process_memory


def test_members_that_fit(tiny):
    learner = make_learner(tiny)
    state, one = memory_parts(learner)["state"], peak_formula(learner, 1)
    assert members_that_fit(learner, 8, 10**12) is None
    assert peak_formula(learner, 8) == 8 * one and peak_formula(learner, 8, 8) == 8 * one
    assert peak_formula(learner, 8, 2) == 16 * state + 2 * one
    assert members_that_fit(learner, 8, 8 * one) is None
    learner = make_learner(dataclasses.replace(tiny, learner=dataclasses.replace(tiny.learner, rollout_length=400)))
    state, one = memory_parts(learner)["state"], peak_formula(learner, 1)
    assert one > 10 * state
    assert members_that_fit(learner, 8, 8 * one - 1) == 4
    assert members_that_fit(learner, 8, 16 * state + 3 * one) == 2
    with pytest.raises(ConfigError, match=r"the run has 8 members on a device.*allowed: 3 members on a device"):
        members_that_fit(learner, 8, 6 * state + one)
    with pytest.raises(ConfigError, match=r"allowed: fewer environments \(learner.num_envs\) or shorter rollouts"):
        members_that_fit(learner, 8, one - 1)
    assert device_memory() > 2**28


@pytest.mark.parametrize(
    "line, files, limit",
    [
        ("0::/", {"memory.max": "1000"}, 1000),
        ("0::/job/step", {"memory.max": "max", "job/memory.max": "700", "job/step/memory.max": "900"}, 700),
        ("0::/hidden/by/a/container", {"memory.max": "800"}, 800),
        ("4:cpu,memory:/job", {"memory/job/memory.limit_in_bytes": "600"}, 600),
        ("0::/", {"memory.max": "max"}, None),
        ("4:cpu:/job", {"memory/job/memory.limit_in_bytes": "600"}, None),
    ],
)
def test_memory_is_what_a_container_leaves(tmp_path, monkeypatch, line, files, limit):
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name, text in {
        "proc/self/cgroup": line,
        **{f"sys/fs/cgroup/{name}": text for name, text in files.items()},
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert process_memory(tmp_path) == (limit or physical)
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (500 if kind == resource.RLIMIT_AS else -1, -1))
    assert process_memory(tmp_path) == 500  # ulimit -v
