"""Who calls the API: a token in the header `Authorization: Bearer …`, and what its scope allows."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from scheduler.errors import NotAllowed
from scheduler.settings import Settings
from scheduler.state.people.actors import Actor, Scope
from scheduler.state.people.tokens import find_token
from scheduler.state.store import Store
from web.api.command_room import CommandRoom
from web.api.problems import Unidentified
from web.background import Background
from web.live import Watcher
from web.received.spec_planner import SpecPlanner
from web.version_memory import VersionMemory
from web.visitors import make_actor

PREFIX = "/api/v1"
REMEMBERED = 32  # documents that take long to read


@dataclass(frozen=True)
class Desk:
    """What all calls share."""

    store: Store
    settings: Settings
    watcher: Watcher
    ending: threading.Event  # the process ends
    planner: SpecPlanner
    reports: Background[Any]  # as the page composes them
    files: Background[str]  # and writes them
    memory: VersionMemory[Mapping[str, Any]] = field(default_factory=lambda: VersionMemory(REMEMBERED))
    room: CommandRoom = field(default_factory=CommandRoom)


def find_desk(request: Request) -> Desk:
    """Find what the app was made with."""
    desk: Desk = request.app.state.desk
    return desk


Here = Annotated[Desk, Depends(find_desk)]
bearer = HTTPBearer(auto_error=False, description="the secret of a token; `sweep token create` prints it")


def identify(
    request: Request, desk: Here, sent: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Actor:
    """Identify who calls. Raise Unidentified."""
    token = find_token(desk.store, sent.credentials) if sent else None
    if token is None:
        raise Unidentified
    origin = request.client.host if request.client else "unknown"
    return make_actor(token, origin)


Reader = Annotated[Actor, Depends(identify)]


def identify_submitter(actor: Reader) -> Actor:
    """Identify who wants to change something. Raise Unidentified or NotAllowed."""
    if not actor.scope.allows(Scope.SUBMIT):
        raise NotAllowed(f"this needs a token with the scope submit; yours has {actor.scope}")
    return actor


Submitter = Annotated[Actor, Depends(identify_submitter)]
