"""The first request to stop is noted, and nothing else changes."""

import os
import signal
import threading

import pytest

from influence_jax.runtime.signals import SIGNALS, deferred_stop


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
