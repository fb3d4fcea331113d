"""An uninterrupted run, and a process that receives every stop signal."""

import signal

import pytest

import influence_jax
from influence_jax.runtime.signals import SIGNALS


@pytest.fixture(autouse=True)
def heard():
    """Stop ignoring signals, as SIGHUP is under ``nohup`` and SIGINT in the background of a script."""
    ignored = [number for number in SIGNALS if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """An uninterrupted run and its directory."""
    out = tmp_path_factory.mktemp("whole") / "run"
    return influence_jax.train(tiny, out=out), out
