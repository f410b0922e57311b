"""Read a form with files (multipart/form-data) as it comes: texts to memory, files to the disk."""

import hashlib
import logging
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, NamedTuple

from fastapi import Depends, Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.concurrency import run_in_threadpool

from scheduler.settings import Settings
from scheduler.state.connection import RedisError
from scheduler.state.people.actors import Scope
from web.received.forms import FIELDS, OTHER_SESSION, FormInvalid, read_form, refuse_foreign
from web.site import Forbidden, Here, admit, require

if TYPE_CHECKING:
    from hashlib import _Hash

KEPT, SPEC, FILES = "kept", "spec", "files"  # fields: what was sent before, the spec as text or file, data files
BROKEN = "the form came broken, or cut off; send it again"
KIND = "multipart/form-data"
TEXT = 1_000_000  # bytes of all fields that are text
BOUNDARY = 70  # bytes
NAME = re.compile(r"\w[\w. -]{0,99}", re.ASCII)  # of a file

logging.getLogger("python_multipart").setLevel(logging.ERROR)  # who sends a broken form is told, and fills no log


class SentForm(NamedTuple):
    """What a form has: its texts, and its files, kept in the artefact store, by name, as SHA-256."""

    fields: Mapping[str, str]
    files: Mapping[str, str]


class SentFile(NamedTuple):
    """A file of a form, which is still to be kept."""

    field: str
    name: str
    draft: Path
    sha256: "_Hash"


class FormReader:
    """Reads one form from its pieces. What is of no field of ours is left out.

    Every method raises FormInvalid for what is no form, or too much.
    """

    def __init__(self, content_type: str, folder: Path, most: int) -> None:
        self.texts: dict[str, bytearray] = {}
        self.files: list[SentFile] = []
        self._folder, self._most = folder, most
        self._size = self._text = self._parts = 0
        self._headers: dict[bytes, bytes] = {}
        self._name, self._value = b"", b""  # of the header that is read
        self._target: bytearray | IO[bytes] | None = None  # of the part that is read
        self._has_ended = False
        self._parser = MultipartParser(
            find_boundary(content_type),
            {
                "on_part_begin": self._begin_part,
                "on_header_field": self._add_to_name,
                "on_header_value": self._add_to_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._choose_target,
                "on_part_data": self._add_data,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )

    def take(self, piece: bytes) -> None:
        """Take the next piece of the form."""
        self._size += len(piece)
        if self._size > self._most:
            raise FormInvalid(f"the files of one spec may have {self._most:,} bytes together (SWEEP_DATA_LIMIT)")
        try:
            self._parser.write(piece)
        except FormParserError:
            raise FormInvalid(BROKEN) from None

    def finish(self) -> dict[str, str]:
        """Return the fields of text. The form must have come to its end."""
        if not self._has_ended:
            raise FormInvalid(BROKEN)
        return {name: text.decode("utf-8", "replace") for name, text in self.texts.items()}

    def close(self) -> None:
        """Close the file that is being written, if the form was cut off."""
        self._end_part()

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > FIELDS:
            raise FormInvalid(f"a form has at most {FIELDS} fields and files")
        self._headers = {}

    def _add_to_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_to_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name, self._value = b"", b""

    def _choose_target(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition"))
        if kind != b"form-data" or b"name" not in options:
            raise FormInvalid(BROKEN)
        field = options[b"name"].decode("utf-8", "replace")
        if b"filename" not in options:
            self._target = self.texts[field] = bytearray()
        elif options[b"filename"] and field in (SPEC, FILES):  # an empty name: nobody chose a file
            name = options[b"filename"].decode("utf-8", "replace")
            file = SentFile(field, name, self._folder / str(len(self.files)), hashlib.sha256())
            self.files.append(file)
            self._target = file.draft.open("wb")

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if isinstance(self._target, bytearray):
            self._text += end - start
            if self._text > TEXT:
                raise FormInvalid(f"a form has at most {TEXT:,} bytes of text")
            self._target += data[start:end]
        elif self._target is not None:
            piece = data[start:end]
            self._target.write(piece)
            self.files[-1].sha256.update(piece)

    def _end_part(self) -> None:
        if self._target is not None and not isinstance(self._target, bytearray):
            self._target.close()
        self._target = None

    def _end(self) -> None:
        self._has_ended = True


def find_boundary(content_type: str) -> bytes:
    """Find what stands between the parts. Raise FormInvalid."""
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not 0 < len(boundary) <= BOUNDARY or not boundary.isascii():
        raise FormInvalid(f"expected {KIND} with a boundary")
    return boundary


async def read_sent_form(request: Request, site: Here) -> SentForm:
    """Read a form with or without files from somebody who may submit. Raise Forbidden or FormInvalid."""
    refuse_foreign(request)
    has_files = request.headers.get("content-type", "").lower().startswith(KIND)
    fields = {} if has_files else dict(await read_form(request))
    with tempfile.TemporaryDirectory(prefix="sweep-form-") as place:
        try:
            visitor = await run_in_threadpool(admit, request, site)
        except RedisError:
            if has_files:  # what was written is offered again
                request.state.form, _ = await _read_parts(request, Path(place), TEXT)
            raise
        require(visitor, Scope.SUBMIT)
        new: list[SentFile] = []
        if has_files:
            fields, new = await _read_parts(request, Path(place), site.settings.data.limit + TEXT)
        if not visitor.owns(fields.get("token", "")):
            raise Forbidden(OTHER_SESSION)
        files = read_kept(fields.get(KEPT, ""))
        for file in new:
            if file.field == SPEC:
                fields[SPEC] = file.draft.read_bytes()[:TEXT].decode("utf-8", "replace")
            else:
                files[file.name] = await run_in_threadpool(keep_file, file, site.settings, visitor.actor.user)
    request.state.form = fields
    return SentForm({SPEC: "", **fields, KEPT: write_kept(files)}, files)


async def _read_parts(request: Request, folder: Path, most: int) -> tuple[dict[str, str], list[SentFile]]:
    reader = FormReader(request.headers.get("content-type", ""), folder, most)
    try:
        async for piece in request.stream():
            reader.take(piece)
    finally:
        reader.close()
    return reader.finish(), reader.files


Sent = Annotated[SentForm, Depends(read_sent_form)]


def read_kept(text: str) -> dict[str, str]:
    """Read which files an earlier form sent: a line for each, with its SHA-256 and its name. Others are left out."""
    lines = (line.partition(" ") for line in text.splitlines())
    return {name: digest for digest, _, name in lines if NAME.fullmatch(name)}


def write_kept(files: Mapping[str, str]) -> str:
    """Write which files were sent, for the next form."""
    return "\n".join(f"{digest} {name}" for name, digest in files.items())


def keep_file(file: SentFile, settings: Settings, user: str) -> str:
    """Keep a user's file; return its SHA-256. Raise TooMuch, or FormInvalid for a name that no spec could have."""
    from web.received.uploads import keep_upload  # it loads what opens stores: only who sends files needs it

    if not NAME.fullmatch(file.name):
        raise FormInvalid(f"{file.name[:100]!r}: expected a name of letters, digits, '.', '-', '_' and spaces")
    keep_upload(settings, user, file.sha256.hexdigest(), file.draft)
    return file.sha256.hexdigest()
