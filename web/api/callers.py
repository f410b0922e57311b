"""Who calls the API: a token in the header `Authorization: Bearer …`, and what its scope allows."""

import threading
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from scheduler.errors import NotAllowed
from scheduler.settings import Settings
from scheduler.state.people.actors import Actor, Scope
from scheduler.state.people.tokens import find_token
from scheduler.state.store import Store
from web.api.answer_memory import AnswerMemory
from web.api.command_room import CommandRoom
from web.api.problems import Unidentified
from web.live import Watcher

PREFIX = "/api/v1"


@dataclass(frozen=True)
class Desk:
    """What all calls share."""

    store: Store
    settings: Settings
    watcher: Watcher
    ending: threading.Event  # the process ends
    memory: AnswerMemory = field(default_factory=AnswerMemory)
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
    return Actor(token.user, f"{origin} {token.name}", token.scope)


Reader = Annotated[Actor, Depends(identify)]


def identify_submitter(actor: Reader) -> Actor:
    """Identify who wants to change something. Raise Unidentified or NotAllowed."""
    if not actor.scope.allows(Scope.SUBMIT):
        raise NotAllowed(f"this needs a token with the scope submit; yours has {actor.scope}")
    return actor


Submitter = Annotated[Actor, Depends(identify_submitter)]
