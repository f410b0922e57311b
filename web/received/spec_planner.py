"""Plan and submit specs that were sent, for the page and the API: in one place, with one limit.

A spec that was sent is somebody else's: it reads no file of this machine but those that came with it, no URL but of a
listed host, and no code but what the operator installed. The server plans it again before it submits, and believes
nothing but the text and the files.
"""

import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

from scheduler.settings import Settings
from scheduler.state.people.actors import Actor
from scheduler.state.service_facts import find_forward_class
from scheduler.state.store import Store
from web.api.problems import NotSent
from web.received.waiting_room import WaitingRoom

if TYPE_CHECKING:  # what reads specs and data is heavy, and few pages need it
    from scheduler.prepare import Prepared
    from scheduler.state.submission import Submitted

PLANNERS = 2  # plans that are made at the same time
PATIENCE = 60.0  # seconds for which another one waits
PART = re.compile(r"[\w][\w. -]{0,99}", re.ASCII)  # of the path of a file that is sent
PARTS = 8


@dataclass(frozen=True)
class ReceivedSpec:
    """A spec that was sent."""

    text: str
    files: Mapping[str, str]  # by their path from the spec's folder, as SHA-256 of what was sent
    overrides: Sequence[str] = field(default=())


class SpecPlanner:
    """Plans for everybody in this process. Its methods raise SweepsError or SchedulerError."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings
        self._room = WaitingRoom("specs", PLANNERS, PATIENCE)

    async def plan(self, actor: Actor, spec: ReceivedSpec) -> dict[str, Any]:
        """Make what `sweep -f json plan` prints."""
        leave = await self._room.enter()
        try:
            return await run_in_threadpool(self._plan, actor, spec)
        finally:
            leave()

    async def submit(self, actor: Actor, spec: ReceivedSpec) -> "Submitted":
        """Plan it, and submit it for who sent it."""
        leave = await self._room.enter()
        try:
            return await run_in_threadpool(self._submit, actor, spec)
        finally:
            leave()

    def _plan(self, actor: Actor, spec: ReceivedSpec) -> dict[str, Any]:
        from scheduler.cli.plan import make_plan_document

        with self._prepare(actor, spec, to_submit=False) as prepared:
            return make_plan_document(self._store, prepared)

    def _submit(self, actor: Actor, spec: ReceivedSpec) -> "Submitted":
        from scheduler.cli.submit import submit_as
        from scheduler.prepare import build_submission

        with self._prepare(actor, spec, to_submit=True) as prepared:
            return submit_as(actor, self._store, prepared, build_submission(prepared), self._settings)

    @contextmanager
    def _prepare(self, actor: Actor, spec: ReceivedSpec, *, to_submit: bool) -> "Iterator[Prepared]":
        """Plan in a folder of its own, which has the files that were sent and nothing else."""
        from scheduler.prepare import prepare_sent
        from web.received.laid_files import lay_files

        _check_names(spec.files)
        with tempfile.TemporaryDirectory(prefix="sweep-plan-") as place:
            folder = Path(place)
            lay_files(self._settings, actor.user, spec.files, folder, folder)
            settings, forward = replace(self._settings, user=actor.user), find_forward_class(self._store, "tinker")
            yield prepare_sent(spec.text, spec.overrides, folder, settings, forward, to_submit=to_submit)


def _check_names(names: Mapping[str, str]) -> None:
    """Check the paths of files, from the folder of the spec. Raise NotSent."""
    for name in names:
        parts = name.split("/")
        if len(parts) > PARTS or not all(PART.fullmatch(part) for part in parts):
            raise NotSent(f"data: {name!r}: expected a path such as data/rows.jsonl, from the folder of the spec")
