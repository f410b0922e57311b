"""Pages that ask for something: a spec is planned and submitted for who sent it, and sweeps are compared."""

import hashlib
import re
import tracemalloc
from pathlib import Path

import httpx
import pytest

from scheduler.artefacts import Artefacts, locate_upload
from scheduler.state import views
from scheduler.state.people.actors import Scope
from scheduler.state.people.audit_log import read_audit
from tests.scheduler.night import Night
from tests.scheduler.plans import scaling
from tests.web.conftest import PASTED, SPEC
from tests.web.served import Served
from web.pages.items_page import split_turns
from web.received.forms import FormInvalid
from web.received.sent_files import TEXT, FormReader


def send_spec(guest: httpx.Client, spec: str, do: str) -> httpx.Response:
    token = guest.get("/new").text.split('name="token" value="')[-1].split('"')[0]
    return send_form(guest, {"token": token, "do": do, "spec": spec})


def send_form(guest: httpx.Client, fields: dict[str, str], *files: tuple[str, str, bytes]) -> httpx.Response:
    """Send the form of the page as a browser does; a file is its field, its name and its content."""
    texts = [(name, (None, text)) for name, text in fields.items()]
    return guest.post("/new", files=[*texts, *((field, (name, content)) for field, name, content in files)])


def test_a_pasted_spec_is_planned_and_then_submitted_for_who_pasted_it(page: Served) -> None:
    with page.log_in(Scope.SUBMIT, "bob") as guest:
        planned = send_spec(guest, PASTED, "plan")
        assert planned.status_code == 200
        assert re.search(r"pasted: \d+ stages, \$\d+\.\d\d at most", planned.text)
        assert guest.get("/sweeps/pasted").status_code == 404, "a look spends nothing"
        sent = send_spec(guest, PASTED, "submit")
    assert (sent.status_code, sent.headers["location"]) == (303, "/sweeps/pasted")
    assert views.read_sweep(page.store, "pasted").user == "bob"
    assert (read_audit(page.store, last=1)[0].what, read_audit(page.store, last=1)[0].who) == ("submit", "bob")


def test_a_reader_plans_and_submits_nothing(page: Served) -> None:
    with page.log_in(Scope.READ) as guest:
        assert guest.get("/new").status_code == 403
        token = guest.get("/").text.split('name="token" value="')[-1].split('"')[0]
        assert send_form(guest, {"token": token, "do": "submit", "spec": PASTED}).status_code == 403


@pytest.mark.parametrize("spec", ["", "sweep: [", PASTED.replace("offline:reference", "/etc/passwd"), "x" * 10_000])
def test_what_cannot_be_planned_says_why_and_keeps_the_text(page: Served, spec: str) -> None:
    with page.log_in(Scope.SUBMIT, "bob") as guest:
        answer = send_spec(guest, spec, "plan")
    assert answer.status_code == 422
    assert spec[:50].strip().splitlines()[:1] == [] or spec.strip().splitlines()[0] in answer.text


ROWS = b"".join(b'{"text": "row number %d"}\n' % number for number in range(40))
WITH_FILE = PASTED.replace("offline:reference", "rows.jsonl").replace("sweep: pasted", "sweep: uploaded")


def test_a_spec_and_its_files_are_sent_once_and_planned_and_submitted(page: Served) -> None:
    with page.log_in(Scope.SUBMIT, "bob") as guest:
        token = read_value(guest.get("/new").text, "token")
        empty = ("spec", "", b""), ("files", "", b"")  # a browser sends fields of files that nobody filled in
        assert send_form(guest, {"token": token, "do": "plan", "spec": WITH_FILE}, *empty).status_code == 422
        spec = ("spec", "sweep.yaml", WITH_FILE.encode())
        planned = send_form(guest, {"token": token, "do": "plan", "spec": ""}, spec, ("files", "rows.jsonl", ROWS))
        assert re.search(r"uploaded: \d+ stages", planned.text)
        kept = re.search(r'name="kept" hidden aria-hidden="true">([^<]*)<', planned.text)
        assert kept is not None
        again = {"token": token, "do": "submit", "spec": WITH_FILE, "kept": kept[1]}
        assert send_form(guest, again).headers["location"] == "/sweeps/uploaded"
    assert views.read_sweep(page.store, "uploaded").user == "bob"


@pytest.mark.parametrize("name", ["../rows.jsonl", "a/b.jsonl", ".hidden", "rows.jsonl\n", "é.jsonl", "x" * 101])
def test_a_file_has_a_plain_name(page: Served, name: str) -> None:
    with page.log_in(Scope.SUBMIT, "bob") as guest:
        fields = {"token": read_value(guest.get("/new").text, "token"), "do": "plan", "spec": PASTED}
        assert send_form(guest, fields, ("files", name, ROWS)).status_code == 400


def test_files_of_another_session_of_a_reader_and_of_another_site_are_not_kept(page: Served) -> None:
    content = b"planted rows that nobody may send"
    digest = hashlib.sha256(content).hexdigest()
    with page.log_in(Scope.READ) as reader, page.log_in(Scope.SUBMIT, "bob") as guest:
        fields = {"token": read_value(guest.get("/new").text, "token"), "do": "plan", "spec": PASTED}
        assert send_form(reader, fields, ("files", "rows.jsonl", content)).status_code == 403
        assert send_form(guest, {**fields, "token": "x"}, ("files", "rows.jsonl", content)).status_code == 403
        guest.headers["origin"] = "http://evil.example"
        assert send_form(guest, fields, ("files", "rows.jsonl", content)).status_code == 403
    assert not Artefacts(page.settings.store).has(locate_upload("bob", digest))


WHOLE = b'--b\r\nContent-Disposition: form-data; name="spec"\r\n\r\nsweep: x\r\n--b--\r\n'


def read_pieces(body: bytes, folder: Path, size: int = 7) -> FormReader:
    """Read a form that comes in pieces of a few bytes."""
    reader = FormReader("multipart/form-data; boundary=b", folder, 10 * TEXT)
    for start in range(0, len(body), size):
        reader.take(body[start : start + size])
    return reader


def test_a_form_is_read_whatever_its_pieces_are(tmp_path: Path) -> None:
    rows = b"".join(b"row %d\r\n--\r\n--x\r\n" % number for number in range(40))
    head = b'--b\r\ncontent-disposition: form-data; name="files"; filename="rows.jsonl"\r\n\r\n'
    body = head + rows + b"\r\n" + WHOLE
    for size in (1, 5, len(body)):
        reader = read_pieces(body, tmp_path, size)
        assert reader.finish() == {"spec": "sweep: x"}
        (file,) = reader.files
        assert (file.name, file.draft.read_bytes(), file.sha256.digest()) == (
            "rows.jsonl",
            rows,
            hashlib.sha256(rows).digest(),
        )


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"x", WHOLE[:-4], WHOLE[:-5], WHOLE[:-20], b"--b\r\n"),
        WHOLE.replace(b"--b", b"--c", 1),
        WHOLE.replace(b"name=", b"title="),
        WHOLE.replace(b"form-data", b"attachment"),
        (WHOLE[:-8] + b"\r\n") * 60 + b"--b--",
        WHOLE.replace(b"Content-", b"X: " + b"x" * 10_000 + b"\r\nContent-"),
        WHOLE.replace(b"Content-", b"X: x\r\n" * 100 + b"Content-"),
        WHOLE.replace(b"sweep: x", b"x" * (TEXT + 1)),
    ],
    ids=lambda body: f"{len(body)} bytes",
)
def test_a_form_that_is_cut_off_or_too_large_is_refused(body: bytes, tmp_path: Path) -> None:
    with pytest.raises(FormInvalid):
        read_pieces(body, tmp_path, 1000).finish()


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=", f"x; boundary={'b' * 71}"])
def test_a_form_has_a_boundary(kind: str, tmp_path: Path) -> None:
    with pytest.raises(FormInvalid):
        FormReader(kind, tmp_path, TEXT)


def test_a_large_file_of_a_form_takes_no_memory(tmp_path: Path) -> None:
    reader = FormReader("multipart/form-data; boundary=b", tmp_path, 100 * TEXT)
    reader.take(b'--b\r\nContent-Disposition: form-data; name="files"; filename="rows.jsonl"\r\n\r\n')
    piece = b"\r\n--a" * 13_000
    tracemalloc.start()
    for _ in range(200):
        reader.take(piece)
    assert tracemalloc.get_traced_memory()[1] < 4 * len(piece)
    tracemalloc.stop()
    reader.take(b"\r\n--b--")
    assert reader.finish() == {}
    assert reader.files[0].draft.stat().st_size == 200 * len(piece)


def read_value(text: str, name: str) -> str:
    """The value of a hidden field."""
    return text.rsplit(f'name="{name}" value="', maxsplit=1)[-1].split('"', maxsplit=1)[0]


def test_sweeps_are_compared_where_they_share_conditions(page: Served, night: Night) -> None:
    night.submit(scaling("beside", [8, 16]), spec={**SPEC, "sweep": "beside"})
    night.spread()
    with page.log_in() as guest:
        assert guest.get("/compare").status_code == 200
        compared = guest.get("/compare", params={"first": "half", "second": "beside"})
        assert guest.get("/compare", params={"first": "half", "second": "nowhere"}).status_code == 404
    assert "beside - half" in compared.text
    assert "2.0500 (2 seeds)" in compared.text


def test_a_conversation_is_split_at_the_marks_of_its_template() -> None:
    chat = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYes<|im_end|>\n"
    assert [tuple(turn) for turn in split_turns(chat)] == [("user", "Hi"), ("assistant", "Yes")]
    assert [tuple(turn) for turn in split_turns("2+2=4\n")] == [("", "2+2=4\n")]
