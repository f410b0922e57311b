"""A token goes to its server and nowhere else; what a server sends is written where the user said, and nowhere else."""

import base64
from pathlib import Path

import httpx
import pytest

from scheduler.cli.remote.received_files import ReceivedFiles, name_outputs
from scheduler.cli.remote.server_link import ServerLink, ServerUnusable, check_address
from scheduler.errors import SchedulerError, SettingInvalid

SECRET = "swp_" + "A" * 43
SERVER = "https://sweeps.example.org"


def link(answers: dict[str, httpx.Response], asked: list[str]) -> ServerLink:
    """A link to a server that answers by the path of the request."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return answers[request.url.path]

    transport = httpx.MockTransport(answer)
    return ServerLink(SERVER, SECRET, httpx.Client(transport=transport, base_url=f"{SERVER}/api/v1"))


@pytest.mark.parametrize("address", [SERVER, f"{SERVER}:8443/", "http://127.0.0.1:8000", "http://localhost:1"])
def test_these_are_addresses_of_servers(address: str) -> None:
    assert check_address(address) == address.rstrip("/")


@pytest.mark.parametrize(
    "address",
    [
        *("http://sweeps.example.org", "http://10.0.0.7:8000", "http://127.0.0.1.example.org", "http://0.0.0.0:80"),
        *("", "sweeps.example.org", "ftp://x", "https://", "https://ada:secret@x", f"{SERVER}/page", f"{SERVER}?x=1"),
        *("https://x:port", "http://[::1", "https:///x"),
    ],
)
def test_a_token_goes_over_no_open_line_and_to_nothing_else(address: str) -> None:
    with pytest.raises(SettingInvalid):
        check_address(address)


@pytest.mark.parametrize("secret", ["", "admin", "swp_short", SECRET + " x"])
def test_what_is_no_token_is_not_sent(secret: str) -> None:
    with pytest.raises(SettingInvalid), ServerLink.open({"SWEEP_SERVER": SERVER, "SWEEP_TOKEN": secret}):
        pass


@pytest.mark.parametrize("status", [301, 302, 307, 308, 401, 403, 404, 500, 502])
def test_a_server_that_refuses_or_leads_elsewhere_ends_it(status: int) -> None:
    asked: list[str] = []
    answer = httpx.Response(status, headers={"location": "https://elsewhere.example.org/"}, text="<html>")
    with pytest.raises(ServerUnusable):
        list(link({"/api/v1/commands": answer}, asked).run({}))
    assert asked == [f"{SERVER}/api/v1/commands"]


def test_a_server_that_goes_away_in_the_middle_is_no_end() -> None:
    frames = link({"/api/v1/commands": httpx.Response(200, text='{"out": "half"}\n')}, []).run({})
    assert next(frames) == {"out": "half"}
    with pytest.raises(ServerUnusable):
        next(frames)


def test_a_file_is_written_once_the_command_has_ended_and_only_where_it_was_named(tmp_path: Path) -> None:
    named = {"out.md": tmp_path / "mine.md", "../drawn": tmp_path}
    received = ReceivedFiles(name_outputs([*named], named))
    with received.keep_open():
        for name, content in {"out.md": b"text", "../drawn/one/a.svg": b"<svg/>"}.items():
            received.take({"file": name, "content": base64.b64encode(content).decode()})
        for name in ("other.md", "../drawn/../out2", "/etc/passwd", "out.md/../x", "../drawn-2/a"):
            with pytest.raises(SchedulerError):
                received.take({"file": name, "content": ""})
        assert list(tmp_path.iterdir()) == []
        received.write()
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")} == {"mine.md", "one/a.svg"}
