"""Requests to stop: what is under way is finished and saved first."""

import atexit
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

# What a person, a terminal that closes, and schedulers send.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name))

_asked: threading.Event | None = None  # that of the outermost `deferred_stop`


@contextlib.contextmanager
def deferred_stop() -> Iterator[threading.Event]:
    """Give an event that the first Ctrl-C, SIGTERM, SIGHUP or SIGUSR1 sets; a second Ctrl-C interrupts as usual.

    An interrupt in the middle of a chunk would lose its state, which is donated. Signals that were ignored, as under ``nohup``,
    stay ignored. Within another one of these, the event is the same. In another thread than the main one, where Python knows no
    signals, nothing sets it.
    """
    global _asked
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    if _asked is not None:
        yield _asked
        return
    _asked = asked
    before = {number: signal.getsignal(number) for number in SIGNALS}
    before = {number: handler for number, handler in before.items() if handler not in (signal.SIG_IGN, None)}

    def handler(number, frame):
        del frame
        with contextlib.suppress(OSError):  # the terminal may be what was closed; print is not for handlers
            os.write(2, b"finishing what is under way, then saving; Ctrl-C once more stops at once\n")
        asked.set()
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, before[number])

    for number in before:
        signal.signal(number, handler)
    try:
        yield asked
    finally:
        _asked = None
        for number, handler in before.items():
            signal.signal(number, handler)


WORKER = "influence_jax, what cannot be interrupted"  # a thread's name


def until_stopped(work: Callable[[], Any], stop: threading.Event) -> Any:
    """Return what ``work`` returns, or None as soon as ``stop`` is set.

    It then goes on in a thread, for which Python waits at its end: one that came back from C++ meanwhile would abort the process.
    """
    result: list[Any] = []

    def keep():
        try:
            result.append(work())
        except BaseException as error:
            result.append(error)

    thread = threading.Thread(target=keep, daemon=True, name=WORKER)
    thread.start()
    while thread.is_alive() and not stop.is_set():
        thread.join(0.05)
    if thread.is_alive():
        atexit.register(thread.join)
    if result and isinstance(result[0], BaseException):
        raise result[0]
    return None if stop.is_set() else result[0]


def still_works() -> bool:
    """Whether something goes on that was not waited for."""
    return any(thread.name == WORKER for thread in threading.enumerate())
