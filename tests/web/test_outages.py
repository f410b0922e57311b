"""The page and Redis are killed while a browser looks on: the page says so, recovers by itself, and nothing is lost."""

import html
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from scheduler.processes.free_ports import find_free_port
from scheduler.settings import read_settings
from scheduler.state import views
from scheduler.state.people.actors import Scope
from scheduler.state.people.audit_log import read_audit
from scheduler.state.people.tokens import create_login
from scheduler.state.store import Store
from tests.browser import Tab
from tests.scheduler.night import Night
from tests.scheduler.plans import scaling
from tests.support import TRUSTED, FakeClock, redis_server, wait_until
from tests.web.conftest import PASTED, SPEC
from tests.web.served import ADA, serve_page

WORD = "document.querySelector('#connection').dataset.word || ''"
MEASURED = "[...document.querySelectorAll('.grid td')].filter(cell => cell.innerText.includes('1.2500')).length"


@contextmanager
def page_process(home: Path, redis_url: str, port: int) -> Iterator["subprocess.Popen[str]"]:
    """`sweep web` on this port, until the block kills it."""
    environment = {"SWEEP_HOME": str(home), "REDIS_URL": redis_url, "SWEEP_PAGE": f"127.0.0.1:{port}", "PATH": ""}
    command = [sys.executable, "-m", "scheduler.cli", "web"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_word(tab: Tab, word: str) -> None:
    wait_until(lambda: tab.ask(WORD) == word, f"the page says {word!r}", seconds=40)


def test_a_browser_that_looks_on_hears_of_each_kill_and_loses_nothing(tmp_path: Path, tab: Tab) -> None:
    port = find_free_port()
    url = f"http://127.0.0.1:{port}"
    with redis_server(tmp_path, TRUSTED) as server:
        clock = FakeClock()
        night = Night(Store(server.client(), clock), clock)
        night.submit(scaling("seen", [256, 512], seeds=1), spec={**SPEC, "sweep": "seen"})
        with page_process(tmp_path, server.url, port):
            wait_until(lambda: is_alive(url), "the page answers")
            tab.look()
            tab.visit(f"{url}/login?code={create_login(Store(server.client()), ADA)}")
            tab.click("form button")
            tab.visit(f"{url}/sweeps/seen")
            tab.ask("window.stays = true")
        wait_for_word(tab, "lost")
        night.do("train-n256s0", "seen")
        night.do("evaluate-n256s0", "seen", {"nll": 1.25})
        with page_process(tmp_path, server.url, port):
            wait_for_word(tab, "")
            wait_until(lambda: tab.ask(MEASURED) == 1, "what happened meanwhile is shown")
            server.end(signal.SIGKILL)
            wait_for_word(tab, "away")
            server.start()
            wait_for_word(tab, "")
            assert tab.ask("window.stays") is True
            tab.visit(f"{url}/new")
            tab.ask(f"document.querySelector('#spec').value = {PASTED!r}")
            server.end(signal.SIGKILL)
            tab.ask("document.querySelector('main form button').click()")
            wait_for_word(tab, "unsent")
            assert tab.ask("document.querySelector('#spec').value") == PASTED
            server.start()
            wait_for_word(tab, "back")
            for _ in ("plan", "submit"):
                tab.click("main form button")
            assert tab.ask("location.pathname") == "/sweeps/pasted"
        assert [line.what for line in read_audit(night.store, last=9)].count("submit") == 1
    tab.visit("about:blank")


def is_alive(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def test_without_a_script_a_form_that_met_an_outage_is_offered_again_and_done_once(tmp_path: Path) -> None:
    settings = read_settings({"SWEEP_HOME": str(tmp_path / "home")})
    with redis_server(tmp_path, TRUSTED) as server:
        store = Store(server.client())
        with serve_page(store, settings) as page, page.log_in() as guest:
            form = {"token": read_field(guest.get("/new").text, "token"), "do": "submit", "spec": PASTED}
            secret = page.make_token("mine", Scope.READ)
            server.end(signal.SIGKILL)
            refused, looked = send_with_files(guest, form), guest.get("/new")
            login = guest.post("/login", data={"secret": secret, "next": "/"})
            server.start()
            again = {name: read_field(refused.text, name) for name in form}
            sent, done = zip(
                *((guest.post("/new", data=again), views.read_sweep(store, "pasted")) for _ in range(2)), strict=True
            )
        assert (refused.status_code, looked.status_code, login.status_code) == (503, 503, 503)
        assert all(answer.headers["retry-after"] for answer in (refused, looked, login))
        assert secret not in login.text
        assert again == form
        assert [answer.status_code for answer in sent] == [303, 303]
        assert done[0] == done[1]


def send_with_files(guest: httpx.Client, form: dict[str, str]) -> httpx.Response:
    """As a browser sends a form that has fields for files."""
    return guest.post("/new", files=[(name, (None, text)) for name, text in form.items()])


def read_field(text: str, name: str) -> str:
    """The value of a hidden field, as a browser reads it."""
    field = re.search(rf'name="{name}"(?: value="([^"]*)"| hidden>\n([^<]*)<)', text)
    assert field is not None, name
    return html.unescape(field[1] or field[2])
