"""Stop requests by signal: the current chunk is finished and saved first."""

import atexit
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

# Sent by a person, a terminal that closes, or a scheduler.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name))

_asked: threading.Event | None = None  # that of the outermost `deferred_stop`


@contextlib.contextmanager
def deferred_stop() -> Iterator[threading.Event]:
    """Return an event that the first Ctrl-C, SIGTERM, SIGHUP or SIGUSR1 sets; a second Ctrl-C interrupts as usual.

    Interrupting a chunk would lose its state, which is donated. Signals that were ignored, as under ``nohup``, stay ignored.
    Nested uses share one event. Outside the main thread Python does not handle signals, and nothing sets the event.
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
        with contextlib.suppress(OSError):  # the terminal may be gone; handlers must not print
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
        for number, former in before.items():
            signal.signal(number, former)


WORKER = "influence_jax, what cannot be interrupted"  # a thread's name


def until_stopped(work: Callable[[], Any], stop: threading.Event) -> Any:
    """Return what ``work`` returns, or None as soon as ``stop`` is set.

    The work then continues in a thread, which Python joins at exit: returning from C++ during shutdown would abort the process.
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


def still_running() -> bool:
    """Return whether abandoned work is still running."""
    return any(thread.name == WORKER for thread in threading.enumerate())
