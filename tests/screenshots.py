"""`make screenshots`: a fleet runs short sweeps, of which one fails and one goes on; a real browser takes every page.

Each page is taken light and dark, wide and narrow, into `.sweep/screenshots`; look at them. Home, a sweep and its
answers go to `docs/images`, for the README. Fails where axe finds something serious, a page scrolls sideways, or a
picture is too large.
"""

import re
import sys
import tempfile
from pathlib import Path

from tests.acceptance.command import ROOT, Desk, until
from tests.browser import AXE, Tab, browser, opened
from tests.web.judged import FINDINGS, SIDEWAYS

TAKEN = ROOT / ".sweep" / "screenshots"
IMAGES = ROOT / "docs" / "images"
MOST = 150_000  # bytes of a picture in the README
LOOKS = {"light": False, "dark": True}
WIDTHS = {"wide": 1280, "narrow": 390}
SCALING, GRID, AGAIN = "demo-scaling", "first-run", "first-run-again"
SHORT = """
sweep: {name}
question: {question}
experiment: grid
model: offline/ngram-s
train: {{method: sl, rank: 8, batch_size: 8, steps: {steps}}}
data: {{reference: {{source: "offline:reference", holdout: 64}}}}
vary: {{train.learning_rate: [{rates}]}}
seeds: 2
evaluate: [nll, {{task_completion: {{environment: "offline:arithmetic", episodes: 4}}}}]
"""
FAILED = SHORT.format(name="too-fast", question="Which rate is too fast?", steps=20, rates="0.01, 1e38")
RUNNING = SHORT.format(name="all-night", question="Does a long training help?", steps=200_000, rates="0.001, 0.01")
PLANNED = SHORT.format(name="tomorrow", question="Which rate is best?", steps=100, rates="0.001, 0.01, 0.1")
PAGES = {
    "home": "/",
    "sweeps": "/sweeps",
    "sweep": f"/sweeps/{SCALING}",
    "grid": f"/sweeps/{GRID}",
    "cells": f"/sweeps/{SCALING}/cells",
    "report": f"/sweeps/{SCALING}/report",
    "runs": f"/sweeps/{GRID}/runs",
    "run": f"/sweeps/{GRID}/runs/3",
    "stages": f"/sweeps/{GRID}/stages",
    "answers": f"/sweeps/{GRID}/items?metric=accuracy",
    "change": f"/sweeps/{GRID}/change/budget",
    "compare": f"/compare?first={GRID}&second={AGAIN}",
    "failed": "/sweeps/too-fast",
    "failed-stages": "/sweeps/too-fast/stages",
    "episodes": "/sweeps/too-fast/items?metric=task_completion",
    "running": "/sweeps/all-night",
    "plan": "/new",
    "fleet": "/fleet",
    "storage": "/storage",
    "new": "/new",
    "missing": "/nowhere",
}
SHOWN = ("home", "sweep", "answers")  # in the README or beside it


def main() -> None:
    """Take them."""
    program = browser()
    if program is None or not AXE.exists():
        sys.exit("no browser is installed, or no axe: `make browser`")
    with tempfile.TemporaryDirectory() as place:
        desk = Desk(Path(place), {"SWEEP_PAGE": "127.0.0.1:0", "SWEEP_FLOWER_PORT": "off"})
        with desk.sweeping("up"):
            until(lambda: "Page:" in desk.said(), "the page is up", seconds=120)
            run_sweeps(desk)
            link = re.findall(r"http\S+/login\S+", desk.sweep("web", "--link").out)[0]
            with opened(program, Path(place)) as tab:
                tab.visit(link)
                tab.click("form button")
                wrong = take_pages(tab, link.partition("/login")[0])
    for line in wrong:
        sys.stdout.write(f"{line}\n")
    sys.exit(bool(wrong))


def run_sweeps(desk: Desk) -> None:
    """Three sweeps end well, one has failures, and one goes on."""
    first_run = ROOT / "examples/community/first_run"
    (desk.folder / "tickets.jsonl").write_bytes((first_run / "tickets.jsonl").read_bytes())
    (desk.folder / "sweep.yaml").write_bytes((first_run / "sweep.yaml").read_bytes())
    scaling = str(ROOT / "examples/demo_scaling.yaml")
    submitted = desk.sweep("submit", scaling, "sizes=[32,64,128,256,512]", "budget.usd=5")
    assert submitted.status == 0, submitted.err
    assert desk.sweep("wait", SCALING, "--timeout", "10m", wait=700).status == 0
    for change in ("seeds=2", f"sweep={AGAIN} seeds=[5,6]"):
        words = ("vary.train.learning_rate=[0.001,0.005,0.02]", *change.split())
        submitted = desk.sweep("submit", "sweep.yaml", *words)
        assert submitted.status == 0, submitted.err
    assert desk.sweep("wait", GRID, AGAIN, "--timeout", "10m", wait=700).status == 0
    for name, spec, status in (("too-fast", FAILED, 3), ("all-night", RUNNING, 4)):
        desk.write(f"{name}.yaml", spec)
        submitted = desk.sweep("submit", f"{name}.yaml")
        assert submitted.status == 0, submitted.err
        assert desk.sweep("wait", name, "--timeout", "10m" if status == 3 else "10s", wait=700).status == status


def take_pages(tab: Tab, url: str) -> list[str]:
    """Take every page in every look; return what is wrong."""
    TAKEN.mkdir(parents=True, exist_ok=True)
    wrong = []
    for name, path in PAGES.items():
        tab.visit(url + path)
        if name == "plan":
            tab.ask(f"document.querySelector('#spec').value = {PLANNED!r}")
            tab.click("main form button")
        until(lambda: tab.ask("!/is being (computed|read)|being drawn/.test(document.body.innerText)"), name)
        tab.ask(AXE.read_text() + "; 0")
        for look, dark in LOOKS.items():
            for size, width in WIDTHS.items():
                tab.look(width=width, dark=dark)
                (TAKEN / f"{name}-{look}-{size}.png").write_bytes(tab.picture())
                wrong += [f"{name} ({look}, {size}): {finding}" for finding in tab.ask(FINDINGS)]
                if tab.ask(SIDEWAYS) > 0:
                    wrong.append(f"{name} ({look}, {size}) scrolls sideways")
            if name in SHOWN:
                wrong += take_image(tab, f"page-{name}-{look}.png", dark=dark)
    return wrong


def take_image(tab: Tab, name: str, *, dark: bool) -> list[str]:
    """Take what a window shows, for the README; return whether it is too large."""
    tab.look(width=1000, dark=dark)
    content = tab.picture(whole=False)
    (IMAGES / name).write_bytes(content)
    return [f"{name} has {len(content):,} bytes, more than {MOST:,}"] if len(content) > MOST else []


if __name__ == "__main__":
    main()
