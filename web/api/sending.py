"""Specs that are sent, with the files that they name: plan them, submit them."""

import hashlib
import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from fastapi import Path as PathParameter
from starlette.concurrency import run_in_threadpool

from scheduler.artefacts import Artefacts, locate_upload
from scheduler.cli.submit import make_submission_row
from web.api import answer_models as answers
from web.api.callers import Here, Reader, Submitter
from web.api.cursors import answer
from web.api.problems import NothingThere, NotSent, TooMuch, describe_problems
from web.received.spec_planner import ReceivedSpec
from web.received.uploads import keep_upload

PROBLEMS = describe_problems(401, 403, 413, 422, 503)
OF_A_SPEC = {**PROBLEMS, **describe_problems(429)}

Digest = Annotated[str, PathParameter(pattern="^[0-9a-f]{64}$", description="the SHA-256 of the file, in hexadecimal")]

router = APIRouter(tags=["send"])


@router.post("/plan", response_model=answers.PlanAnswer, responses=OF_A_SPEC)
async def plan(request: Request, desk: Here, actor: Submitter, sent: answers.SentSpec) -> Response:
    """Plan a spec: what it would do and cost. It spends nothing and writes nothing."""
    return answer(request, await desk.planner.plan(actor, ReceivedSpec(sent.spec, sent.data, sent.overrides)))


@router.post(
    "/sweeps",
    response_model=answers.SubmissionAnswer,
    status_code=201,
    responses={
        **OF_A_SPEC,
        **describe_problems(409),
        200: {"model": answers.SubmissionAnswer, "description": "It was there"},
    },
)
async def submit(request: Request, desk: Here, actor: Submitter, sent: answers.SentSpec) -> Response:
    """Submit a spec. The same spec again changes nothing; another one of the same name is refused."""
    submitted = await desk.planner.submit(actor, ReceivedSpec(sent.spec, sent.data, sent.overrides))
    return answer(request, {"sweeps": [make_submission_row(submitted)]}, 201 if submitted.fresh else 200)


@router.get("/data/{sha256}", response_model=answers.UploadAnswer, responses={**PROBLEMS, **describe_problems(404)})
def find_upload(request: Request, sha256: Digest, desk: Here, actor: Reader) -> Response:
    """Say whether a file of yours is there, so that nobody sends it twice."""
    size = Artefacts(desk.settings.store).find_size(locate_upload(actor.user, sha256))
    if size is None:
        raise NothingThere(f"no file {sha256} was sent")
    return answer(request, {"sha256": sha256, "bytes": size, "new": False})


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
async def receive_upload(request: Request, sha256: Digest, desk: Here, actor: Submitter) -> Response:
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
        is_new = await run_in_threadpool(keep_upload, desk.settings, actor.user, sha256, draft)
    return answer(request, {"sha256": sha256, "bytes": size, "new": is_new}, 201 if is_new else 200)
