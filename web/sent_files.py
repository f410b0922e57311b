"""Read a form with files, as browsers send it (multipart/form-data): to a file first, so that memory stays bounded."""

import hashlib
import mmap
import re
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from scheduler.settings import Settings
from scheduler.state.connection import RedisError
from scheduler.state.people.actors import Scope
from web.forms import FIELDS, OTHER_SESSION, FormInvalid, read_form, refuse_foreign
from web.site import Forbidden, Here, admit, require
from web.visitors import Visitor

KEPT, SPEC, FILES = "kept", "spec", "files"  # fields: what was sent before, the spec as text or file, data files
BROKEN = "the form came broken, or cut off; send it again"
KIND = "multipart/form-data"
HEADERS = 2000  # bytes of the headers of one part
TEXT = 1_000_000  # bytes of all fields that are text
PIECE = 1 << 20  # bytes of a file that are handled at once
NAME = re.compile(r"\w[\w. -]{0,99}", re.ASCII)  # of a file
NAMED = re.compile(rb'form-data;\s*name="([^"]*)"(?:;\s*filename="([^"]*)")?', re.IGNORECASE)
BOUNDARY = re.compile(r'boundary="?([^";]{1,70})"?\s*(?:;|$)')


class FormPart(NamedTuple):
    """A field of a form, and where its content is."""

    name: str
    file: str | None  # the name of the file; None: a field of text
    start: int
    end: int


class SentForm(NamedTuple):
    """What a form has: its texts, and its files, kept in the artefact store, by name, as SHA-256."""

    fields: Mapping[str, str]
    files: Mapping[str, str]


def find_boundary(request: Request) -> bytes:
    """Find what stands between the parts. Raise FormInvalid."""
    match = BOUNDARY.search(request.headers.get("content-type", ""))
    if match is None or not match[1].isascii():
        raise FormInvalid(f"expected {KIND} with a boundary")
    return match[1].encode()


async def read_sent_form(request: Request, site: Here) -> SentForm:
    """Read a form with or without files from somebody who may submit. Raise Forbidden or FormInvalid."""
    refuse_foreign(request)
    has_files = request.headers.get("content-type", "").lower().startswith(KIND)
    texts = {} if has_files else await read_form(request)
    with tempfile.TemporaryDirectory(prefix="sweep-form-") as place:
        body = Path(place) / "body"
        try:
            visitor = await run_in_threadpool(admit, request, site)
        except RedisError:
            if has_files:  # what was written is offered again
                await spool(request.stream(), body, TEXT)
                request.state.form = _read_texts(body, request)
            raise
        require(visitor, Scope.SUBMIT)
        if has_files:
            await spool(request.stream(), body, site.settings.data.limit + TEXT)
            form = await run_in_threadpool(_keep_form, body, find_boundary(request), visitor, site.settings)
        else:
            form = SentForm(texts, read_kept(texts.get(KEPT, "")))
    if not visitor.owns(form.fields.get("token", "")):
        raise Forbidden(OTHER_SESSION)
    request.state.form = form.fields
    return SentForm({SPEC: "", KEPT: "", **form.fields}, form.files)


def _read_texts(body: Path, request: Request) -> Mapping[str, str]:
    content = body.read_bytes()
    return read_fields(content, split_parts(content, find_boundary(request)))[0]


Sent = Annotated[SentForm, Depends(read_sent_form)]


def _keep_form(body: Path, boundary: bytes, visitor: Visitor, settings: Settings) -> SentForm:
    """Read the fields, and keep the files, but only if the form is of the visitor's session."""
    with body.open("rb") as file:
        if not body.stat().st_size:
            raise FormInvalid(BROKEN)
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            fields, parts = read_fields(content, split_parts(content, boundary))
            if not visitor.owns(fields.get("token", "")):
                raise Forbidden(OTHER_SESSION)
            kept = read_kept(fields.get(KEPT, ""))
            specs = [part for part in parts if part.name == SPEC]
            if specs:
                fields[SPEC] = content[specs[-1].start : specs[-1].end][:TEXT].decode("utf-8", "replace")
            new = {part.file or "": keep_file(content, part, settings) for part in parts if part.name == FILES}
    files = {**kept, **new}
    return SentForm({**fields, KEPT: write_kept(files)}, files)


def read_kept(text: str) -> dict[str, str]:
    """Read which files an earlier form sent: a line for each, with its SHA-256 and its name. Others are left out."""
    lines = (line.partition(" ") for line in text.splitlines())
    return {name: digest for digest, _, name in lines if NAME.fullmatch(name)}


def write_kept(files: Mapping[str, str]) -> str:
    """Write which files were sent, for the next form."""
    return "\n".join(f"{digest} {name}" for name, digest in files.items())


async def spool(pieces: AsyncIterator[bytes], target: Path, most: int) -> None:
    """Write a body to a file. Raise FormInvalid beyond `most` bytes."""
    size = 0
    with target.open("wb") as file:
        async for piece in pieces:
            size += len(piece)
            if size > most:
                raise FormInvalid(f"the files of one spec may have {most:,} bytes together (SWEEP_DATA_LIMIT)")
            file.write(piece)


def split_parts(content: "mmap.mmap | bytes", boundary: bytes) -> Iterator[FormPart]:
    """Split a body into its parts. Raise FormInvalid for a body that is cut off, or is no form."""
    delimiter = b"--" + boundary
    place = 0 if content[: len(delimiter)] == delimiter else -1
    for _ in range(FIELDS):
        after = place + len(delimiter)
        if place >= 0 and content[after : after + 2] == b"--":
            return
        head = content.find(b"\r\n\r\n", after, after + HEADERS) if place >= 0 else -1
        place = content.find(b"\r\n" + delimiter, head + 2) if head >= 0 else -1
        named = NAMED.search(content[after:head]) if place >= 0 else None
        if named is None:
            raise FormInvalid(BROKEN)
        file = None if named[2] is None else named[2].decode("utf-8", "replace")
        yield FormPart(named[1].decode("utf-8", "replace"), file, head + 4, place)
        place += 2
    raise FormInvalid(f"a form has at most {FIELDS} fields and files")


def read_fields(content: "mmap.mmap | bytes", parts: Iterator[FormPart]) -> tuple[dict[str, str], list[FormPart]]:
    """Read the fields of text; return them with the parts that are files. Raise FormInvalid."""
    fields: dict[str, str] = {}
    files, room = list[FormPart](), TEXT
    for part in parts:
        if part.file:
            files.append(part)
        elif part.file is None:
            room -= part.end - part.start
            if room < 0:
                raise FormInvalid(f"a form has at most {TEXT:,} bytes of text")
            fields[part.name] = content[part.start : part.end].decode("utf-8", "replace")
    return fields, files


def keep_file(content: "mmap.mmap | bytes", part: FormPart, settings: Settings) -> str:
    """Keep a file in the artefact store, under its SHA-256. Raise FormInvalid for a name that no spec could have."""
    from scheduler.artefacts import Artefacts, locate_upload  # what opens stores: only who sends files needs it

    name = part.file or ""
    if not NAME.fullmatch(name):
        raise FormInvalid(f"{name[:100]!r}: expected a name of letters, digits, '.', '-', '_' and spaces")
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(prefix="sweep-upload-") as draft:
        for start in range(part.start, part.end, PIECE):
            piece = content[start : min(part.end, start + PIECE)]
            digest.update(piece)
            draft.write(piece)
        draft.flush()
        artefacts, path = Artefacts(settings.store), locate_upload(digest.hexdigest())
        if not artefacts.has(path):
            artefacts.write_file(path, Path(draft.name))
    return digest.hexdigest()
