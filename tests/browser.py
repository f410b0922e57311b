"""A real browser that opens pages for tests, spoken to by its DevTools protocol over two pipes: no port, no driver.

Which one: what `make browser` has put into `.browser`, or any of BROWSERS on the PATH.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BROWSERS = (
    *("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"),
    *("microsoft-edge", "brave-browser"),
)
OWN = Path(__file__).parents[1] / ".browser" / "chromium"
AXE = OWN.with_name("axe.min.js")  # from `make browser`, too
PATIENCE = 60  # seconds for one answer
# The protocol is spoken on descriptors 3 and 4; the browser is to have them there, whatever they are here.
LAUNCH = """
import os, sys
theirs, back = map(int, sys.argv[1:3])
os.dup2(theirs, 3), os.dup2(back, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
FLAGS = (
    *("--headless", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run", "--disable-extensions"),
    *("--disable-component-update", "--disable-background-networking", "--hide-scrollbars"),
)
SAID = {
    "Runtime.consoleAPICalled": lambda event: " ".join(
        str(argument.get("value", argument)) for argument in event["args"]
    ),
    "Runtime.exceptionThrown": lambda event: str(event["exceptionDetails"]),
    "Log.entryAdded": lambda event: f"{event['entry']['level']}: {event['entry']['text']}",
}


def browser() -> Path | None:
    """The one to be used, if there is any."""
    if OWN.exists():
        return OWN
    known = next(filter(None, map(shutil.which, BROWSERS)), None)
    return Path(known) if known else None


@dataclass
class Tab:
    """An open page, and what its console has said: errors, warnings, and what the policy refused."""

    wire: "Wire"
    session: str
    console: list[str] = field(default_factory=list)

    def call(self, method: str, **asked: object) -> dict[str, Any]:
        answer = self.wire.call(method, asked, self.session)
        self.console += self.wire.heard(self.session)
        return answer

    def visit(self, url: str) -> None:
        """Open an address, and wait until everything that it loads is there."""
        self.call("Page.navigate", url=url)
        self.wire.until("Page.loadEventFired", self.session)

    def click(self, button: str) -> None:
        """Click on what a selector names, and wait for the page to which that leads."""
        self.ask(f"document.querySelector({button!r}).click()")
        self.wire.until("Page.loadEventFired", self.session)

    def look(self, *, width: int = 1280, dark: bool = False, paper: bool = False) -> None:
        """Look at what is open, and at what will be, in this width and light."""
        looks = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media="print" if paper else "screen", features=[looks])
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=False)

    def show(self, page: Path, *, width: int = 1280, dark: bool = False, paper: bool = False) -> None:
        """Open a file, and wait until everything that it loads is there."""
        self.look(width=width, dark=dark, paper=paper)
        self.visit(page.as_uri())
        self.ask("document.fonts.ready.then(() => true)")

    def ask(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def picture(self, *, whole: bool = True) -> bytes:
        """The whole page as PNG, or what the window shows of it."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"])

    def pdf(self) -> bytes:
        """What the printer would get."""
        return base64.b64decode(self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=False)["data"])


@dataclass
class Wire:
    """Questions and answers: JSON, each ended by a zero byte. Raises TimeoutError where the browser is silent."""

    reading: int
    writing: int
    rest: bytes = b""
    asked: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)

    def call(self, method: str, asked: Mapping[str, object], session: str | None = None) -> dict[str, Any]:
        self.asked += 1
        request = {"id": self.asked, "method": method, "params": asked} | ({"sessionId": session} if session else {})
        os.write(self.writing, json.dumps(request).encode() + b"\0")
        for message in self._messages():
            if message.get("id") == self.asked:
                assert "error" not in message, f"{method}: {message['error']}"
                return dict(message["result"])
            self.events.append(message)
        raise AssertionError("the browser has closed its pipe")

    def until(self, event: str, session: str) -> None:
        """Wait for an event that has not been taken yet."""
        while not (
            events := [
                event_heard
                for event_heard in self.events
                if (event_heard["method"], event_heard.get("sessionId")) == (event, session)
            ]
        ):
            self.events.append(next(self._messages()))
        self.events.remove(events[0])

    def heard(self, session: str) -> list[str]:
        """Take what was said on the console of a page."""
        own = [
            event_heard
            for event_heard in self.events
            if event_heard.get("sessionId") == session and event_heard["method"] in SAID
        ]
        self.events = [event_heard for event_heard in self.events if event_heard not in own]
        return [SAID[event_heard["method"]](event_heard["params"]) for event_heard in own]

    def _messages(self) -> Iterator[dict[str, Any]]:
        end = time.monotonic() + PATIENCE
        while True:
            while b"\0" not in self.rest:
                if not select.select([self.reading], [], [], max(0.0, end - time.monotonic()))[0]:
                    raise TimeoutError(f"the browser has said nothing for {PATIENCE} s")
                read = os.read(self.reading, 1 << 20)
                assert read, "the browser has gone"
                self.rest += read
            first, _, self.rest = self.rest.partition(b"\0")
            yield json.loads(first)


@contextmanager
def opened(program: Path, folder: Path) -> Iterator[Tab]:
    """The browser with one empty page; `folder` takes its profile and what it has to say about itself."""
    flags = [*FLAGS, f"--user-data-dir={folder / 'profile'}"]
    if os.geteuid() == 0:
        flags.append("--no-sandbox")  # it has none for root; the pages are our own
    theirs, writing = os.pipe()
    reading, back = os.pipe()
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (theirs, back)]
    libraries = {"LD_LIBRARY_PATH": str(program.parent / "lib")} if program == OWN else {}
    with (folder / "browser.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-ISc", LAUNCH, *map(str, high), str(program), *flags],
            pass_fds=high,
            env={**os.environ, **libraries},
            stdout=log,
            stderr=log,
        )
    for fd in (theirs, back, *high):
        os.close(fd)
    wire = Wire(reading, writing)
    try:
        target = wire.call("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = wire.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        tab = Tab(wire, session)
        for domain in ("Page", "Runtime", "Log"):
            tab.call(f"{domain}.enable")
        yield tab
        wire.call("Browser.close", {})
        process.wait(PATIENCE)
    finally:
        process.kill()
        process.wait()
        os.close(reading)
        os.close(writing)
