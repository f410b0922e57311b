"""Specs that are sent, with the files that they name: plan them, submit them.

The server plans by itself, from the text and the bytes that came; it believes nothing that a client says about a stage.
"""

import hashlib
import re
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi import Path as PathParameter
from starlette.concurrency import run_in_threadpool

from scheduler.artefacts import Artefacts, locate_upload
from scheduler.cli.plan import make_plan_document
from scheduler.cli.submit import make_submission_row, submit_as
from scheduler.errors import StoreUnavailable
from scheduler.prepare import Prepared, build_submission, prepare_sent
from scheduler.state.people.actors import Actor
from scheduler.state.service_facts import find_forward_class
from web.api import answer_models as answers
from web.api.callers import Desk, Here, Reader, Submitter
from web.api.cursors import answer
from web.api.laid_files import lay_files
from web.api.problems import NothingThere, NotSent, TooMuch, describe_problems

PLANNERS = 2  # plans that are made at the same time
PATIENCE = 60.0  # seconds for which another one waits
PART = re.compile(r"[\w][\w. -]{0,99}", re.ASCII)  # of the path of a file that is sent
PARTS = 8
PROBLEMS = describe_problems(401, 403, 413, 422, 503)

Digest = Annotated[str, PathParameter(pattern="^[0-9a-f]{64}$", description="the SHA-256 of the file, in hexadecimal")]

router = APIRouter(tags=["send"])
planning = threading.BoundedSemaphore(PLANNERS)


@router.post("/plan", response_model=answers.PlanAnswer, responses=PROBLEMS)
def plan(request: Request, desk: Here, actor: Submitter, sent: answers.SentSpec) -> Response:
    """Plan a spec: what it would do and cost. It spends nothing and writes nothing."""
    with _prepare(desk, actor, sent, to_submit=False) as prepared:
        return answer(request, make_plan_document(desk.store, prepared))


@router.post(
    "/sweeps",
    response_model=answers.SubmissionAnswer,
    status_code=201,
    responses={
        **PROBLEMS,
        **describe_problems(409),
        200: {"model": answers.SubmissionAnswer, "description": "It was there"},
    },
)
def submit(request: Request, desk: Here, actor: Submitter, sent: answers.SentSpec) -> Response:
    """Submit a spec. The same spec again changes nothing; another one of the same name is refused."""
    with _prepare(desk, actor, sent, to_submit=True) as prepared:
        submission = build_submission(prepared)
        submitted = submit_as(actor, desk.store, prepared, submission, desk.settings)
    return answer(request, {"sweeps": [make_submission_row(submitted)]}, 201 if submitted.fresh else 200)


@contextmanager
def _prepare(desk: Desk, actor: Actor, sent: answers.SentSpec, *, to_submit: bool) -> Iterator[Prepared]:
    """Plan in a folder of its own, which has the files that were sent and nothing else."""
    if not planning.acquire(timeout=PATIENCE):
        raise StoreUnavailable("other specs are being planned; send it again in a minute")
    try:
        with tempfile.TemporaryDirectory(prefix="sweep-plan-") as place:
            folder = Path(place)
            _check_names(sent.data)
            lay_files(desk.settings, sent.data, folder, folder)
            settings = replace(desk.settings, user=actor.user)
            forward = find_forward_class(desk.store, "tinker")
            yield prepare_sent(sent.spec, sent.overrides, folder, settings, forward, to_submit=to_submit)
    finally:
        planning.release()


def _check_names(names: Iterable[str]) -> None:
    """Check the paths of files, from the folder of the spec. Raise NotSent."""
    for name in names:
        parts = name.split("/")
        if len(parts) > PARTS or not all(PART.fullmatch(part) for part in parts):
            raise NotSent(f"data: {name!r}: expected a path such as data/rows.jsonl, from the folder of the spec")


@router.get("/data/{sha256}", response_model=answers.UploadAnswer, responses={**PROBLEMS, **describe_problems(404)})
def find_upload(request: Request, sha256: Digest, desk: Here, _: Reader) -> Response:
    """Say whether a file is there, so that nobody sends it twice."""
    stored = Artefacts(desk.settings.store).list_files(locate_upload(sha256))
    if not stored:
        raise NothingThere(f"no file {sha256} was sent")
    return answer(request, {"sha256": sha256, "bytes": stored[0].size, "new": False})


UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.put(
    "/data/{sha256}",
    response_model=answers.UploadAnswer,
    responses={**PROBLEMS, 201: {"model": answers.UploadAnswer, "description": "It is new"}},
    openapi_extra=UPLOAD,
)
async def receive_upload(request: Request, sha256: Digest, desk: Here, _: Submitter) -> Response:
    """Take a file that a spec names. The same file again changes nothing."""
    most = desk.settings.data.limit
    with tempfile.TemporaryDirectory(prefix="sweep-upload-") as place:
        draft = Path(place) / "content"
        size, digest = 0, hashlib.sha256()
        with draft.open("wb") as file:
            async for piece in request.stream():
                size += len(piece)
                if size > most:
                    raise TooMuch(f"a file may have {most:,} bytes (SWEEP_DATA_LIMIT); split it")
                digest.update(piece)
                await run_in_threadpool(file.write, piece)
        if digest.hexdigest() != sha256:
            raise NotSent(f"expected the content of {sha256}, got that of {digest.hexdigest()}; send it again")
        is_new = await run_in_threadpool(_keep, desk, sha256, draft)
    return answer(request, {"sha256": sha256, "bytes": size, "new": is_new}, 201 if is_new else 200)


def _keep(desk: Desk, sha256: str, draft: Path) -> bool:
    artefacts, path = Artefacts(desk.settings.store), locate_upload(sha256)
    if artefacts.has(path):
        return False
    artefacts.write_file(path, draft)
    return True
