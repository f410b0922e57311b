"""A whole visit in a real browser, its policy enforced and its console silent; then that of somebody who may only read.

Skipped where no browser is installed: `make browser`.
"""

from dataclasses import replace

import pytest

from scheduler.artefacts import Artefacts, locate_records
from scheduler.state import keys, views
from scheduler.state.people.actors import Scope
from scheduler.state.submission import submit
from sweeps.evaluation.item_rows import ItemRow
from sweeps.records import Records
from sweeps.stage import Json, Run, Stage
from tests.browser import Tab
from tests.scheduler.kept import lay_items
from tests.scheduler.night import Night
from tests.scheduler.plans import evaluate, plan, scaling, submission, train
from tests.support import wait_until
from tests.web.conftest import PASTED, SPEC
from tests.web.served import Served

ASKED = Records("questions", ({"question": "2+2=", "answers": ["4"]}, {"question": "3+3=", "answers": ["6"]}))
EPISODE = "<|im_start|>user\nThe order?<|im_end|>\n<|im_start|>assistant\ncall find(7)<|im_end|>\n"
COMPARED: dict[str, Json] = {
    "experiment": "compare",
    "equal": {"tokens": 1000},
    "best": {"metric": "accuracy", "mode": "max"},
}
OWN_DATA = PASTED.replace("pasted", "visited").replace("offline:reference", "notes.jsonl")
SEND = """
    const sent = new DataTransfer()
    const rows = Array.from({length: 24}, (_, row) => JSON.stringify({text: `note ${row}: pump ${row} leaks`}))
    sent.items.add(new File([rows.join('\\n')], 'notes.jsonl'))
    document.querySelector('#files').files = sent.files
    document.querySelector('#files').files.length
"""
TEXT = "document.querySelector('main').innerText"
MEASURED = "[...document.querySelectorAll('.grid td')].filter(cell => cell.innerText.includes('1.2500')).length"
ACTIONS = "document.querySelectorAll('nav.actions a').length"
OFFERED = "[...document.querySelectorAll('#metric option')].map(one => one.value)"
PAUSED = "fetch('/sweeps/half/change/pause', {method: 'POST', body: new FormData()}).then(answer => answer.status)"


@pytest.fixture
def asked(night: Night, page: Served) -> str:
    """A sweep whose trained model answers one of two questions wrong, and has played one episode."""
    before, after = ["5", "6"], ["4", "7"]
    names, runs, rows, stages = ("answers", "task_completion"), list[Run](), dict[str, list[ItemRow]](), list[Stage]()
    for method, texts in ((None, before), ("sl", after)):
        parents = [] if method is None else [train("asked")]
        ids = [stage.id for stage in parents]
        measured = {name: with_items(evaluate(f"{name}-{method}", *ids), name) for name in names}
        stages += [*parents, *measured.values()]
        which = {name: stage.id for name, stage in measured.items()}
        runs.append(Run({"method": method}, 0, ids[0] if ids else None, which))
        rows[which["answers"]] = [
            ItemRow(item, {"accuracy": float(text == right)}, details={"said": text})
            for item, (text, right) in enumerate(zip(texts, ("4", "6"), strict=True))
        ]
        rows[which["task_completion"]] = [
            ItemRow(0, {"solved": 0.0, "reward": 0.0, "turns": 1.0}, details={"text": EPISODE})
        ]
    question = plan("asked", stages, runs)
    submit(night.store, submission(question, spec={**COMPARED, "sweep": "asked"}))
    artefacts = Artefacts(page.settings.store)
    artefacts.write(locate_records(ASKED.sha256), ASKED.to_jsonl())
    lay_items(night.store, artefacts, question, rows)
    for number in range(len(runs)):
        night.store.client.hset(keys.sweep_values("asked"), f"{number}|task_completion", "0.0")
    return "asked"


def with_items(stage: Stage, name: str) -> Stage:
    options: dict[str, Json] = {"name": name, "check": "exact", "most": 8}
    return replace(stage, recipe={**stage.recipe, "evaluator": options, "items": ASKED.sha256})


def log_in(tab: Tab, page: Served, secret: str) -> None:
    tab.visit(f"{page.url}/login")
    tab.ask(f"document.querySelector('[name=secret]').value = {secret!r}")
    tab.click("main form button")
    assert tab.ask("location.pathname") == "/"


def test_a_visit_from_the_login_to_the_log_out_and_one_of_a_reader(
    page: Served, night: Night, tab: Tab, asked: str
) -> None:
    night.submit(scaling("unwanted", [777], seeds=1), spec={**SPEC, "sweep": "unwanted"})
    tab.look()
    tab.console.clear()
    log_in(tab, page, page.make_token("visitor", Scope.ADMIN))
    submit_and_watch(page, night, tab)
    look_at_answers(page, tab, asked)
    tab.visit(f"{page.url}/sweeps/unwanted/change/cancel")
    tab.click("form button.danger")
    assert views.read_sweep(night.store, "unwanted").state == "cancelled"
    tab.visit(f"{page.url}/sweeps/half/report")
    assert "What it cost" in tab.ask(TEXT)
    tab.click(".bar button")
    assert tab.ask("location.pathname") == "/login"
    assert [line for line in tab.console if "chromium" not in line] == []
    log_in(tab, page, page.make_token("reader", Scope.READ))
    tab.visit(f"{page.url}/sweeps/half")
    assert tab.ask(ACTIONS) == 0
    assert tab.ask(PAUSED) == 403
    assert views.read_sweep(night.store, "half").state == "active"
    tab.visit("about:blank")


def submit_and_watch(page: Served, night: Night, tab: Tab) -> None:
    """Paste a spec with its data, read its price, submit it, see a cell fill in without reloading, and open a run."""
    tab.visit(f"{page.url}/new")
    tab.ask(f"document.querySelector('#spec').value = {OWN_DATA!r}")
    assert tab.ask(SEND) == 1
    tab.click("main form button")
    assert "$" in tab.ask(TEXT)
    tab.click("main form button")
    assert tab.ask("location.pathname") == "/sweeps/visited"
    tab.ask("window.stays = true")
    wait_until(lambda: tab.ask("1") and page.watcher.listeners["sweep:visited"] > 0, "the page listens")
    night.spread()
    trained = next(row for row in views.read_planned_rows(night.store, "visited") if row["stage"])
    night.do(trained["stage"], "visited")
    night.do(trained["measures"]["nll"], "visited", {"nll": 1.25})
    wait_until(lambda: tab.ask(MEASURED) == 1, "the cell fills in")
    assert tab.ask("window.stays") is True
    tab.visit(f"{page.url}/sweeps/visited/runs")
    tab.click(f"main a[href$='/runs/{trained['run']}']")
    assert trained["stage"] in tab.ask("document.querySelector('main').innerHTML")


def look_at_answers(page: Served, tab: Tab, name: str) -> None:
    """Look at the item that went wrong, which comes first, and at an episode in its turns."""
    tab.visit(f"{page.url}/sweeps/{name}/items?metric=accuracy")
    first = tab.ask("document.querySelector('.item').innerText")
    assert "3+3=" in first
    assert "7" in first
    assert tab.ask(OFFERED) == [
        "accuracy",
        "task_completion",
    ]
    tab.visit(f"{page.url}/sweeps/{name}/items?metric=task_completion")
    turns = tab.ask("[...document.querySelectorAll('.item .turn pre')].map(turn => turn.innerText)")
    assert turns[:2] == ["The order?", "call find(7)"]
