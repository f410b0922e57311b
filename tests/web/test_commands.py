"""A command that is sent to a server says there what it says here, for whoever the token is of, and for nobody else."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from scheduler.cli.remote.server_link import read_version
from scheduler.settings import read_settings
from scheduler.state import views
from scheduler.state.people.actors import Scope
from scheduler.state.people.audit_log import read_audit
from scheduler.state.store import Store
from tests.acceptance.command import Desk
from tests.scheduler.night import Night
from tests.scheduler.plans import scaling
from tests.support import TRUSTED, FakeClock, redis_server, wait_until
from tests.web.served import Served, serve_page
from web.api.callers import PREFIX
from web.api.command_process import PROGRAM
from web.api.command_room import AT_ONCE, FOLLOWING_OF_ONE, CommandRoom
from web.api.problems import TooMany

SPEC = {"experiment": "data_scaling", "model": "offline/ngram-s", "question": "How much?", "sweep": "half"}
SENT = """
sweep: sent
experiment: data_scaling
model: offline/ngram-s
train: {method: sl, rank: 4, learning_rate: 0.01, batch_size: 4, steps: 4}
data: {mine: {source: rows.jsonl, holdout: 8}}
sizes: [4, 8]
seeds: 1
"""
ROWS = "".join(json.dumps({"text": f"row {number} of many"}) + "\n" for number in range(40))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[Served]:
    """A server with one sweep, `half`, of ada."""
    (place / "redis").mkdir()
    with redis_server(place / "redis", TRUSTED) as redis:
        clock = FakeClock()
        night = Night(Store(redis.client(), clock), clock)
        night.submit(scaling("half", [8, 16]), spec=SPEC, user="ada")
        night.do("evaluate-base", "half", {"nll": 3.0})
        settings = read_settings({"SWEEP_HOME": str(place), "REDIS_URL": redis.url})
        with serve_page(night.store, settings) as served:
            yield served


def sit_down(server: Served, folder: Path, scope: Scope = Scope.SUBMIT, user: str = "ada") -> Desk:
    """A desk of somebody who has a token, and nothing of the fleet."""
    secret = server.make_token(f"{user}-{scope}", scope, user)
    return Desk(folder, {"SWEEP_SERVER": server.url, "SWEEP_TOKEN": secret})


def order(command: str, **values: Any) -> dict[str, Any]:
    return {"command": command, "values": values, "version": read_version()}


@pytest.fixture
def api(server: Served) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {server.make_token('ada-submit', Scope.SUBMIT, 'ada')}"}
    with httpx.Client(base_url=server.url + PREFIX, headers=headers, trust_env=False, timeout=60) as client:
        yield client


def read_frames(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.mark.parametrize(
    "words",
    [
        ("-f", "json", "status", "half"),
        ("report", "half", "--format", "md", "-o", "-"),
        ("events", "nothing"),
        ("wait", "half", "--timeout", "0"),
        ("events", "half", "--last", "0"),
    ],
    ids=" ".join,
)
def test_it_says_there_what_it_says_here(server: Served, tmp_path: Path, place: Path, words: tuple[str, ...]) -> None:
    here = Desk(tmp_path, {"REDIS_URL": server.settings.redis_url or "", "SWEEP_HOME": str(place)})
    got = sit_down(server, tmp_path).call(*words)
    expected = here.call(*words)
    assert (got.status, got.err) == (expected.status, expected.err)
    ages = slice(0, None) if "wait" not in words else slice(0, 40)  # how long ago it was submitted changes
    assert got.out[ages] == expected.out[ages]


def test_a_file_comes_back_to_where_it_was_named(server: Served, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    desk = sit_down(server, tmp_path / "mine")
    assert desk.call("report", "half", "-o", "../else.html", "--figures", str(tmp_path / "drawn")).status == 0
    assert (tmp_path / "else.html").read_text().endswith("</html>\n")
    assert {path.name for path in tmp_path.iterdir()} <= {"mine", "else.html", "drawn"}
    missing = desk.call("report", "half", "-o", "../none/else.html")
    assert (missing.status, missing.out) == (1, "")


def test_a_change_is_the_owners_and_has_a_line(server: Served, tmp_path: Path) -> None:
    before = read_audit(server.store, last=1)
    for scope, user in ((Scope.SUBMIT, "bob"), (Scope.READ, "ada")):
        assert sit_down(server, tmp_path, scope, user).call("priority", "half", "7").status == 1
    assert [line for line in read_audit(server.store, last=1) if line.what != "create token"] in ([], before)
    assert sit_down(server, tmp_path).call("priority", "half", "7").status == 0
    (line,) = read_audit(server.store, last=1)
    assert (line.who, line.origin, line.what, line.target) == ("ada", "127.0.0.1 ada-submit", "priority", "half")


def test_a_spec_travels_with_its_data_and_belongs_to_who_sent_it(server: Served, tmp_path: Path) -> None:
    folder = tmp_path / "specs"
    folder.mkdir()
    desk = sit_down(server, folder, user="eve")
    (tmp_path / "rows.jsonl").write_text(ROWS)
    desk.write("spec.yaml", SENT.replace("rows.jsonl", "../rows.jsonl"))
    assert desk.call("submit", "spec.yaml").status == 1  # it lies elsewhere, so it does not travel
    desk.write("rows.jsonl", ROWS)
    desk.write("spec.yaml", SENT)
    assert desk.call("submit", "spec.yaml", "sizes=[4]").status == 0
    assert views.read_sweep(server.store, "sent").user == "eve"


def upload(api: httpx.Client, content: str) -> str:
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    assert api.put(f"/data/{sha256}", content=content.encode()).status_code in (200, 201)
    return sha256


def test_nothing_that_is_sent_is_run(api: httpx.Client, tmp_path: Path) -> None:
    """A module of a name that the command loads lies in the folder in which it runs."""
    trap = upload(api, f"open({str(tmp_path / 'sprung')!r}, 'w')\n")
    names = ("sweep.yaml", "rows.jsonl", "click.py", "numpy.py", "sitecustomize.py", "sweeps/__init__.py", "json.py")
    files = {**dict.fromkeys(names, trap), "sweep.yaml": upload(api, SENT), "rows.jsonl": upload(api, ROWS)}
    frames = read_frames(api.post("/commands", json=order("plan", file="sweep.yaml") | {"files": files}))
    assert frames[-1] == {"status": 0}, frames
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "values", "status"),
    [
        ("plan", {"file": "/etc/passwd"}, 422),
        ("plan", {"file": "~/sweep.yaml"}, 422),
        ("run", {"words": ["a/../../../x.yaml"]}, 422),
        ("report", {"name": "half", "target": "/tmp/x.html"}, 422),
        ("report", {"name": "half", "form": "a/../../b"}, 422),
        ("export", {"name": "half", "place": "tensorboard:/tmp/x"}, 422),
        ("up", {}, 422),
        ("doctor", {}, 422),
        ("token create", {"name": "x", "scope": "admin"}, 403),
        ("gc", {}, 403),
        ("checkpoints", {"delete": ["kept"]}, 403),
    ],
)
def test_what_a_client_must_not_is_refused_before_anything_starts(
    api: httpx.Client, command: str, values: dict[str, Any], status: int
) -> None:
    answer = api.post("/commands", json=order(command, **values))
    assert answer.status_code == status, answer.text


def test_another_version_is_told_which_one(api: httpx.Client) -> None:
    answer = api.post("/commands", json=order("list") | {"version": "0.0.1"})
    assert (answer.status_code, answer.json()["code"]) == (409, "versions_differ")
    assert {"0.0.1", read_version()} <= {word.strip(",;") for word in answer.json()["detail"].split()}


def test_it_looks_as_on_the_terminal_of_who_asks(api: httpx.Client) -> None:
    terminal = {"out": True, "columns": 30, "looks": {"TERM": "xterm-256color"}}
    frames = read_frames(api.post("/commands", json=order("list") | {"terminal": terminal}))
    lines = "".join(frame.get("out", "") for frame in frames).splitlines()
    assert "\x1b[" in lines[0]
    assert len(lines) > 5, "in 30 columns, a row is a block of lines"


def list_children() -> list[Path]:
    """The processes of ours that run a command, from the kernel."""
    here = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and b"command_main" in (process / "cmdline").read_bytes():
                here.append(process)
    return here


def test_a_command_ends_when_its_caller_goes_and_shows_no_secret(api: httpx.Client, server: Served) -> None:
    before = {*list_children()}
    with api.stream("POST", "/commands", json=order("watch", names=["half"])) as answer:
        lines = answer.iter_lines()
        assert "out" in json.loads(next(lines))
        (process,) = {*list_children()} - before
        shown = (process / "environ").read_bytes() + (process / "cmdline").read_bytes()
        assert server.settings.redis_url
        assert server.settings.redis_url.encode() not in shown
        assert b"half" not in (process / "cmdline").read_bytes()
    wait_until(lambda: not {*list_children()} - before, "the command ends")


def test_a_command_whose_server_was_killed_leaves_nothing(server: Served, tmp_path: Path) -> None:
    """The kernel then sends it the signal that this test sends."""
    place = tmp_path / "place"
    (place / "here").mkdir(parents=True)
    actor = {"user": "ada", "origin": "a test", "scope": "read"}
    asked = {**order("watch", names=["half"]), "form": "table", "place": str(place), "folder": str(place / "here")}
    environment = {"REDIS_URL": server.settings.redis_url or "", "SWEEP_HOME": str(tmp_path)}
    pipe, command = subprocess.PIPE, [sys.executable, "-m", PROGRAM]
    with subprocess.Popen(command, env={**os.environ, **environment}, text=True, stdin=pipe, stdout=pipe) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({**asked, "actor": actor}))
        process.stdin.close()
        assert process.stdout.readline()
        process.terminate()
        assert process.wait(30) == 128 + signal.SIGTERM
    assert not place.exists()


def test_commands_wait_for_each_other_and_no_token_takes_every_place() -> None:
    async def fill() -> None:
        room = CommandRoom()
        leave = [await room.enter("ada", follows=True) for _ in range(FOLLOWING_OF_ONE)]
        with pytest.raises(TooMany):
            await room.enter("ada", follows=True)
        await room.enter("bob", follows=True)
        leave[0]()
        await room.enter("ada", follows=True)
        held = [await room.enter("ada", follows=False) for _ in range(AT_ONCE)]
        waiting = asyncio.ensure_future(room.enter("bob", follows=False))
        await asyncio.sleep(0)
        assert not waiting.done()
        held[0]()
        await asyncio.wait_for(waiting, 5)

    asyncio.run(fill())
