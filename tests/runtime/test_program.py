"""A program is traced once for all numbers, its compilation can be abandoned, and too small a device gives one sentence."""

import dataclasses
import os

import jax
import numpy as np
import pytest

import influence_jax
from influence_jax.learner.learner import make_learner
from influence_jax.runtime import population, program
from influence_jax.runtime.devices import ALL_DEVICES
from influence_jax.runtime.program import Program
from influence_jax.runtime.signals import SIGNALS
from tests.runtime.runs import assert_same


def test_runs_that_differ_in_numbers_alone_share_a_program(tiny, monkeypatch):
    """And each uses its own numbers."""
    traced, compile_chunk = [], population.compile_chunk
    monkeypatch.setattr(program.population, "compile_chunk", lambda *args: traced.append(args) or compile_chunk(*args))
    short = dataclasses.replace(tiny, total_steps=2 * 120)
    learned = influence_jax.train(short)
    traced.clear()
    still = dataclasses.replace(
        short, seed=3, total_steps=120, env=dataclasses.replace(tiny.env, params={"hit_penalty": 0.0})
    )
    still = dataclasses.replace(still, hyperparams=tiny.hyperparams.replace(learning_rate=0.0, learning_rate_end=0.0))
    kept = influence_jax.train(still)
    assert not traced and (learned.update, kept.update) == (20, 10)
    start = population.init_population(kept.learner)
    assert_same(kept.state.params, start.params)
    for run, penalty in ((kept, 0), (learned, 50)):
        assert run.state.env_params.hit_penalty.tolist() == [penalty] * 2
    moved = jax.tree.map(
        lambda a, b: bool(np.any(a != b)), learned.state.params, population.init_population(learned.learner).params
    )
    assert all(jax.tree.leaves(moved["policy"]))


@pytest.mark.parametrize("number", SIGNALS)
def test_a_request_to_stop_while_compiling_stops_at_once(tiny, tmp_path, monkeypatch, number):
    """And leaves nothing behind, since nothing was done."""

    def asked(self, stop):
        os.kill(os.getpid(), number)
        assert stop.wait(10)
        return original(self, stop)

    original = Program.compile
    monkeypatch.setattr(Program, "compile", asked)
    run = influence_jax.train(tiny, out=tmp_path / "run")
    assert run.update == 0 and run.saved is None and not (tmp_path / "run").exists()


def test_a_failure_before_the_first_log_point_leaves_nothing(tiny, tmp_path, monkeypatch):
    def no_memory(*args):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 9 bytes.")

    monkeypatch.setattr(Program, "compile", lambda self, stop: no_memory)
    with pytest.raises(MemoryError, match=r"the run has 2 members on a device, each with 3 environments x 4 steps.*GB"):
        influence_jax.train(tiny, out=tmp_path / "deep" / "run")
    assert not (tmp_path / "deep" / "run").exists()


def test_a_device_that_is_too_small_is_a_sentence_whatever_the_network(tiny):
    learner = make_learner(tiny)
    own = dataclasses.replace(learner, network=dataclasses.replace(learner.network))
    for chosen, words in ((learner, "by the formula of docs/scaling.md"), (own, "which is too small for so many")):
        found = program.prepare(chosen, population.member_settings(chosen, {}), ALL_DEVICES)
        with pytest.raises(MemoryError, match=f"out of memory: .*{words}.*members_at_once"), program.explained(found):
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 7 bytes")
