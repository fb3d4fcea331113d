"""A Chromium without a window, by its DevTools protocol over a pipe."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe")
ON_3_AND_4 = """
import os, sys
for pipe, number in zip([os.dup(int(x)) for x in sys.argv[1:3]], (3, 4)):
    os.dup2(pipe, number)
    os.set_inheritable(number, True)  # which it is not where it was there before
os.execv(sys.argv[3], sys.argv[3:])
"""  # where the protocol wants to be asked and answers
KEYS = {" ": 32, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowRight": 39}


@contextlib.contextmanager
def tab(folder):
    """Yield a `Tab` of a browser that writes into a folder; skip the test where no Chromium is installed."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    (reads, requests), (answers, writes) = os.pipe(), os.pipe()
    command = [program, *OPTIONS, f"--user-data-dir={folder}", "about:blank"]
    starter = [sys.executable, "-ISc", ON_3_AND_4, str(reads), str(writes), *command]
    process = subprocess.Popen(starter, pass_fds=(reads, writes), stderr=subprocess.DEVNULL)
    os.close(reads), os.close(writes)
    try:
        yield Tab(requests, answers)
    finally:
        os.close(requests), os.close(answers)  # which ends the browser
        process.wait(30)


class Tab:
    """A page; ``problems`` are what its scripts, its console and the browser complain of."""

    def __init__(self, requests, answers):
        self.requests, self.answers, self.received = requests, answers, b""
        self.number, self.session, self.problems = 0, {}, []
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = {"sessionId": self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}
        for domain in ("Page", "Runtime", "Log"):
            self.ask(f"{domain}.enable")

    def ask(self, method, **parameters):
        """Return the result of a command of the protocol."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters} | self.session
        os.write(self.requests, json.dumps(message).encode() + b"\0")
        while (answer := self.message()).get("id") != self.number:
            about = answer.get("params", {})
            if answer["method"] in ("Runtime.exceptionThrown", "Log.entryAdded") or about.get("type") == "error":
                self.problems.append(about)
        assert "error" not in answer, answer
        return answer["result"]

    def message(self):
        """Return the next message of the browser."""
        while b"\0" not in self.received:
            part = os.read(self.answers, 1 << 16)
            assert part, "the browser is gone"
            self.received += part
        text, _, self.received = self.received.partition(b"\0")
        return json.loads(text)

    def look(self, expression):
        """Return the value of an expression of JavaScript."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def open(self, path):
        """Show the page of a file, once it is ready."""
        self.ask("Page.navigate", url=path.as_uri())
        self.wait_for("document.body?.dataset.ready === 'yes'")

    def wait_for(self, expression, seconds=20):
        """Wait until an expression is true."""
        end = time.monotonic() + seconds
        while not self.look(expression):
            assert time.monotonic() < end, f"{expression} is never true; problems: {self.problems}"
            time.sleep(0.05)

    def resize(self, width, height, dark=False):
        """Give the page a size and a colour scheme."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def press(self, key, shift=False):
        """Press a key and let go of it."""
        about = {"key": key, "windowsVirtualKeyCode": KEYS[key], "modifiers": 8 if shift else 0}
        about |= {"text": " "} if key == " " else {}
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, **about)

    def click(self, selector, across=0.5, down=0.5):
        """Click on a place in an element, given in shares of its size."""
        self.look(f"document.querySelector({selector!r}).scrollIntoView({{block: 'center'}})")
        box = self.look(f"document.querySelector({selector!r}).getBoundingClientRect().toJSON()")
        place = {"x": box["left"] + across * box["width"], "y": box["top"] + down * box["height"]}
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, button="left", buttons=1, clickCount=1, **place)

    def screenshot(self):
        """Return the page as PNG."""
        return base64.b64decode(self.ask("Page.captureScreenshot")["data"])
