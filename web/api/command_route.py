"""Run commands of the command line for somebody elsewhere: the same command, in a process of its own.

The server believes nothing of what is sent: it knows what each command needs, and parses the words again.
"""

import json
import math
import os
import tempfile
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import ExitStack, aclosing, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from scheduler.cli.remote.command_places import AT_SERVER, PathKind, ServerCommand
from scheduler.cli.remote.command_words import check_path, count_up, is_below
from scheduler.errors import NotAllowed, SchedulerError
from scheduler.processes.supervisor import IN_UTF8
from scheduler.settings import SECRETS, Settings
from scheduler.state.connection import RedisError
from scheduler.state.people.actors import Actor
from scheduler.state.people.tokens import find_token
from scheduler.state.server.embedded_redis import find_server_url
from web.api import answer_models as answers
from web.api.callers import Desk, Here, Reader, bearer
from web.api.command_process import (
    MOST_FILES,
    MOST_SAID,
    TOO_MUCH_IN_FILES,
    CommandClock,
    CommandCut,
    CommandProcess,
    TerminalSize,
    list_new_files,
    read_file_frames,
)
from web.api.problems import NotSent, VersionsDiffer, describe_problems
from web.received.laid_files import lay_files

MEDIA = "application/x-ndjson"
LASTS = 900.0  # seconds for a command that ends by itself
NOT_THEIRS = ("SWEEP_SERVER", "SWEEP_TOKEN", "TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")
FRAMES = {
    200: {
        "content": {MEDIA: {}},
        "description": "Lines of JSON: `out` and `err` are what it says, `file` and `content` (base64) what it wrote, "
        "`status` is its end; an empty object says that it lives",
    },
    **describe_problems(401, 403, 409, 413, 422, 429, 503),
}

router = APIRouter(tags=["send"])


class CommandUnknown(SchedulerError):
    """A server runs no such command for others."""


@router.post("/commands", response_class=Response, responses=FRAMES)
async def run(
    request: Request,
    desk: Here,
    actor: Reader,
    sent: answers.CommandOrder,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> Response:
    """Run a command of the command line, and stream what it says. It ends when its caller goes away."""
    command = _check_order(actor, sent)
    with ExitStack() as closing:
        closing.callback(await desk.room.enter(actor.origin, follows=command.follows))
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="sweep-command-")))
        here = await run_in_threadpool(_lay_out, desk, actor, command, sent, folder)
        process = CommandProcess(
            _make_order(actor, sent, folder, here),
            _make_environment(desk.settings, actor, sent.terminal),
            TerminalSize(**sent.terminal.model_dump(include={"out", "err", "columns", "lines"})),
        )
        process.start()
        closing.callback(process.stop)
        secret = credentials.credentials if credentials else ""
        job = CommandJob(desk, secret, command, sent, process, folder, here)
        return CommandStream(job.say_everything(request), closing.pop_all())
    raise AssertionError("an exit stack hides no error")


class CommandStream(StreamingResponse):
    """A stream that gives everything back when it ends, however it ends."""

    def __init__(self, frames: AsyncGenerator[bytes], closing: ExitStack) -> None:
        super().__init__(frames, media_type=MEDIA, headers={"X-Accel-Buffering": "no"})  # a proxy holds nothing back
        self._frames, self._closing = frames, closing

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._frames.aclose()
            await run_in_threadpool(self._closing.close)


def _check_order(actor: Actor, sent: answers.CommandOrder) -> ServerCommand:
    """Return what the command needs. Raise VersionsDiffer, CommandUnknown, NotAllowed, or PathRefused."""
    if sent.command not in AT_SERVER:
        raise CommandUnknown(f"a server does not run {sent.command!r} for others; run it on its machine")
    command = AT_SERVER[sent.command]
    needed = command.find_scope(sent.values)
    if not actor.scope.allows(needed):
        raise NotAllowed(f"`sweep {sent.command}` needs a token with the scope {needed}; yours has {actor.scope}")
    if sent.version != (ours := version("tinker-sweeps")):
        raise VersionsDiffer(f"your `sweep` has the version {sent.version}, the server {ours}; update the older one")
    if wrong := [name for name in command.refused if sent.values.get(name)]:
        raise CommandUnknown(f"`sweep {sent.command}` with {wrong[0]} runs on the server's machine")
    for path in [place.path for place in command.list_paths(sent.values)] + command.list_outputs(sent.values):
        check_path(path)
    if sent.files and not command.takes_files:
        raise NotSent(f"files: `sweep {sent.command}` takes none")
    return command


def _lay_out(desk: Desk, actor: Actor, command: ServerCommand, sent: answers.CommandOrder, folder: Path) -> Path:
    """Lay the sender's files as they lie around the sender's own folder. Return what stands for that."""
    places = [*command.list_paths(sent.values)]
    up = max(map(count_up, [place.path for place in places] + [check_path(name) for name in sent.files]), default=0)
    here = folder.joinpath(*[f".above-{number}" for number in range(up)], "here")
    here.mkdir(parents=True)
    lay_files(desk.settings, actor.user, sent.files, here, folder)
    for place in places:
        path = here / place.path
        target = path if place.kind is PathKind.FOLDER else path.parent
        Path(os.path.normpath(target)).mkdir(parents=True, exist_ok=True)
    return here


def _make_order(actor: Actor, sent: answers.CommandOrder, folder: Path, here: Path) -> dict[str, Any]:
    who = {"user": actor.user, "origin": actor.origin, "scope": actor.scope.value}
    asked = sent.model_dump(include={"command", "values", "form"})
    return {**asked, "place": str(folder), "folder": str(here), "actor": who}


def _make_environment(settings: Settings, actor: Actor, terminal: answers.SentTerminal) -> dict[str, str]:
    """Make the environment of a command: the server's, from any folder, and what a terminal looks like."""
    ours = {name: value for name, value in os.environ.items() if name not in NOT_THEIRS}
    named = {"SWEEP_PRICES": settings.prices, "SWEEP_REHEARSAL": settings.rehearsal}
    if ours.get("SWEEP_ENVIRONMENTS"):
        named["SWEEP_ENVIRONMENTS"] = settings.environments
    if ours.get(SECRETS):
        named[SECRETS] = Path(ours[SECRETS]).absolute()
    hours, minutes = divmod(abs(terminal.minutes_ahead), 60)
    zone = f"{hours:02}:{minutes:02}"
    behind = "-" if terminal.minutes_ahead > 0 else ""  # POSIX counts west
    return {
        **ours,
        **{name: str(path) for name, path in named.items() if path is not None},
        **terminal.looks,
        **IN_UTF8,
        "TZ": f"<sender>{behind}{zone}",
        "PYTHONSAFEPATH": "1",  # its folder holds files of somebody else: nothing is imported from there
        "REDIS_URL": find_server_url(settings),
        "SWEEP_HOME": str(settings.home),
        "SWEEP_STORE": settings.store,
        "SWEEP_CACHE": str(settings.cache),
        "SWEEP_USER": actor.user,
    }


@dataclass(frozen=True)
class CommandJob:
    """One command that runs for somebody."""

    desk: Desk
    secret: str
    command: ServerCommand
    sent: answers.CommandOrder
    process: CommandProcess
    folder: Path  # that has everything of the sender
    here: Path  # what stands for the sender's own folder in it

    async def say_everything(self, request: Request) -> AsyncGenerator[bytes]:
        """Say what the process says, then what it wrote, then its status."""
        most, lasts = (math.inf, math.inf) if self.command.follows else (MOST_SAID, LASTS)
        clock = CommandClock(lasts)
        try:
            async with aclosing(self.process.read_frames(most)) as frames:
                async for frame in frames:
                    if frame is not None:
                        yield _write_frame(frame)
                    elif await request.is_disconnected():
                        return
                    self._refuse_longer(clock)
                    if clock.has_been_silent():
                        await run_in_threadpool(self._check_token)
                        yield _write_frame({})
            status = await run_in_threadpool(self.process.wait_for_status)
            for piece in self._read_outputs() if self.command.writes else ():
                yield _write_frame(piece)
        except CommandCut as cut:
            yield _write_frame({"err": f"Error: {cut}\n"})
            status = 1
        yield _write_frame({"status": status})

    def _refuse_longer(self, clock: CommandClock) -> None:
        if self.desk.ending.is_set():
            raise CommandCut("the server stops; run the command again when it is back")
        if clock.is_over():
            raise CommandCut(f"a command that follows no sweep may take {LASTS / 60:.0f} minutes; run it on the server")

    def _check_token(self) -> None:
        with suppress(RedisError):
            if find_token(self.desk.store, self.secret) is None:
                raise CommandCut("this token lets nobody in any more")

    def _read_outputs(self) -> Iterator[Mapping[str, Any]]:
        outputs, room = self.command.list_outputs(self.sent.values), MOST_FILES
        for name, path in list_new_files(self.folder, self.here, frozenset(self.sent.files)):
            if any(is_below(name, output) for output in outputs):
                room -= path.stat().st_size
                if room < 0:
                    raise CommandCut(TOO_MUCH_IN_FILES)
                yield from read_file_frames(name, path)


def _write_frame(frame: Mapping[str, Any]) -> bytes:
    return json.dumps(frame).encode() + b"\n"
