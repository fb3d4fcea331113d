"""The first stop request is noted, and nothing else changes."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from influence_jax.runtime.signals import SIGNALS, deferred_stop, still_running, until_stopped


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_is_noted_and_handlers_come_back(number, capfd):
    before = [signal.getsignal(x) for x in SIGNALS]
    with deferred_stop() as asked:
        assert not asked.is_set()
        os.kill(os.getpid(), number)
        assert asked.is_set()
    assert [signal.getsignal(x) for x in SIGNALS] == before
    assert "then saving" in capfd.readouterr().err


def test_a_second_ctrl_c_interrupts_and_other_signals_never_do():
    with deferred_stop() as asked, pytest.raises(KeyboardInterrupt):
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGINT):
            os.kill(os.getpid(), number)
        assert asked.is_set()
        os.kill(os.getpid(), signal.SIGINT)


def test_one_within_another_is_the_same():
    with deferred_stop() as asked:
        with deferred_stop() as inner:
            os.kill(os.getpid(), signal.SIGTERM)
            assert inner.is_set()
        assert asked.is_set()
        os.kill(os.getpid(), signal.SIGTERM)  # still noted, and no more
    with deferred_stop() as asked:
        assert not asked.is_set()


def test_what_was_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with deferred_stop() as asked:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not asked.is_set()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_knows_no_signals():
    found = []

    def work():
        with deferred_stop() as asked:
            found.append(asked.is_set())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]


def test_what_cannot_be_interrupted_is_left_alone():
    asked, go_on = threading.Event(), threading.Event()
    assert until_stopped(lambda: 3, asked) == 3 and not still_running()
    with pytest.raises(ZeroDivisionError):
        until_stopped(lambda: 1 / 0, asked)
    asked.set()
    assert until_stopped(go_on.wait, asked) is None and still_running()
    go_on.set()
    while still_running():
        time.sleep(0.01)


PROGRAM = """
import sys, threading, time
import jax, jax.numpy as jnp
from influence_jax import cli
from influence_jax.runtime.signals import until_stopped

def slow(x):
    for i in range(60):
        x = jnp.sin(x[::-1] + i).cumsum()
    return x

asked = threading.Event()
lowered = jax.jit(slow).lower(jnp.ones(100))
threading.Timer(0.2, asked.set).start()
until_stopped(lowered.compile, asked)
if sys.argv[1] == "command":
    cli.main = lambda: 75
    cli.run()
"""


@pytest.mark.parametrize("kind, status", [("command", 75), ("script", 0)])
def test_a_process_ends_well_while_it_compiles(kind, status):
    """Otherwise Python would abort when the compiler returns during shutdown."""
    environment = os.environ | {"JAX_ENABLE_COMPILATION_CACHE": "false"}
    command = [sys.executable, "-c", PROGRAM, kind]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == status, ended.stderr
