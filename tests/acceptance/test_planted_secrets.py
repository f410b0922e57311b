"""What a fleet is given to keep is shown nowhere: not on a page, in an answer, a log, an event, a file or a process."""

import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scheduler.processes.addresses import Addresses, read_addresses
from tests.acceptance.command import Desk, Said, until
from tests.acceptance.planted import HOOK, KEY, SCRAPE
from tests.acceptance.shared_fleet import SharedFleet
from tests.acceptance.small_nights import small

KEEPERS = {"flower.password", "up.json"}  # files that only their owner may read
MOST = 60  # pages
COMMANDS = (
    *("status", "list", "costs", "results planted", "events planted", "digest planted", "audit", "token list"),
    *("-f json status", "-f json events planted", "-f json plan planted.yaml", "-f json token list", "doctor"),
)

SENT = ("status", "run planted.yaml", "audit")  # by somebody elsewhere, whom also Flower's password is not for


@pytest.fixture
def secrets(home_desk: Desk) -> dict[str, str]:
    """All that was planted. A sweep has run whose notices could not be sent."""
    home_desk.write("planted.yaml", small("planted", sizes=[8], seeds=1, steps=2) + 'notify: [{webhook: "env:HOOK"}]\n')
    done = home_desk.sweep("run", "planted.yaml")
    assert done.status == 0, done.err
    created = home_desk.call("-f", "json", "token", "create", "planted", "--scope", "read").json["tokens"][0]
    link = home_desk.call("web", "--link").out.split()[-1]
    return {
        "key": KEY,
        "webhook": HOOK,
        "metrics": SCRAPE,
        "flower": find_addresses(home_desk).flower_password,
        "token": created["secret"],
        "link": link.partition("code=")[2],
    }


def test_what_was_planted_is_found_nowhere(
    home_desk: Desk, shared_fleet: SharedFleet, secrets: dict[str, str], tmp_path: Path
) -> None:
    elsewhere = shared_fleet.seat_elsewhere(tmp_path, "planter", "admin")
    secrets["token elsewhere"] = elsewhere.environment["SWEEP_TOKEN"]
    shown = {
        **dict(visit_pages(home_desk, secrets)),
        **dict(call_routes(home_desk, secrets["token"])),
        **dict(look_at_flower(home_desk)),
        "metrics": scrape(shared_fleet),
        **{words: write_down(home_desk.call(*words.split())) for words in COMMANDS},
        **{f"from elsewhere: {words}": write_down(elsewhere.call(*words.split())) for words in SENT},
        **dict(read_incident(home_desk)),
        **dict(read_files(home_desk.home)),
        **dict(read_processes(home_desk)),
    }
    shown["status"] = shown["status"].replace(secrets["flower"], "")  # it tells the owner, on a terminal
    places = {(where, name) for where, text in shown.items() for name, secret in secrets.items() if secret in text}
    assert places == set()
    assert len(shown) > 60


def find_addresses(desk: Desk) -> Addresses:
    addresses = read_addresses(desk.home)
    assert addresses is not None
    return addresses


def write_down(answer: httpx.Response | Said) -> str:
    if isinstance(answer, Said):
        return answer.out + answer.err
    return f"{answer.headers}\n{answer.text}"


def visit_pages(desk: Desk, secrets: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Log in and follow every link, page by page; of the fleet's sweeps, those of this test."""
    url = find_addresses(desk).page_url
    with httpx.Client(base_url=url, headers={"origin": url, "accept": "text/html"}, timeout=60) as guest:
        until(lambda: guest.get("/healthz").status_code == 200, "the page answers")
        assert guest.post("/login", data={"code": secrets["link"]}).status_code == 303
        ahead, seen = ["/", "/login", "/nowhere", "/sweeps/planted/parts/events"], set[str]()
        while ahead and len(seen) < MOST:
            if (path := ahead.pop(0)) in seen:
                continue
            seen.add(path)
            answer = guest.get(path)
            yield path, write_down(answer)
            links = re.findall(r'href="(/[^"#]*)', answer.text.replace("&amp;", "&"))
            ahead += [link for link in links if not link.startswith("/sweeps/") or link.startswith("/sweeps/planted")]
        assert any("/runs/" in path for path in seen)


def call_routes(desk: Desk, token: str) -> Iterator[tuple[str, str]]:
    """Call each route of the API that only looks."""
    url = find_addresses(desk).page_url + "/api/v1"
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=60) as program:
        routes = program.get("/openapi.json").raise_for_status().json()["paths"]
        for path, methods in routes.items():
            if "get" in methods and not path.endswith(("/events", "/storage")):  # a stream, and a look at the service
                named = re.sub(r"\{\w+\}", "planted", path.removeprefix("/api/v1"))
                yield f"GET {named}", write_down(program.get(named))


def look_at_flower(desk: Desk) -> Iterator[tuple[str, str]]:
    addresses = find_addresses(desk)
    login = (addresses.flower_user, addresses.flower_password)
    for page in ("/workers", "/tasks", "/broker", "/api/workers", "/api/tasks", "/metrics"):
        yield f"Flower {page}", write_down(httpx.get(addresses.flower_url + page, auth=login, timeout=60))


def scrape(fleet: SharedFleet) -> str:
    url = f"http://127.0.0.1:{fleet.desk.environment['SWEEP_METRICS']}/metrics"
    return write_down(httpx.get(url, headers={"authorization": f"Bearer {SCRAPE}"}, timeout=60).raise_for_status())


def read_incident(desk: Desk) -> Iterator[tuple[str, str]]:
    assert desk.call("incident", "planted", "--no-ask", "-o", "incident.tar.gz").status == 0
    with tarfile.open(fileobj=io.BytesIO((desk.folder / "incident.tar.gz").read_bytes())) as bundle:
        for member in bundle.getmembers():
            if (file := bundle.extractfile(member)) is not None:
                yield f"incident {member.name}", file.read().decode(errors="replace")


def read_files(home: Path) -> Iterator[tuple[str, str]]:
    """What is in the state folder: everything that was written to Redis, logs, artefacts, reports."""
    for path in home.rglob("*"):
        if path.name in KEEPERS:
            assert path.stat().st_mode & 0o077 == 0
        elif path.is_file():
            yield str(path), path.read_bytes().decode(errors="replace")


def read_processes(desk: Desk) -> Iterator[tuple[str, str]]:
    """What the system shows of the fleet's processes to whoever may look."""
    mark = f"SWEEP_HOME={desk.home}"
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment, command, title = (
                (folder / name).read_text(errors="replace") for name in ("environ", "cmdline", "comm")
            )
        except OSError:
            continue
        if mark in environment.split("\0"):
            yield str(folder), environment + command + title
