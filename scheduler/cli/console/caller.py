"""For whom this process runs a command: for whoever started it, or for somebody who sent it with a token."""

import socket

from scheduler.settings import Settings
from scheduler.state.people.actors import Actor

_senders: list[Actor] = []  # none, or one


def act_for(sender: Actor) -> None:
    """Run the command of this process for somebody else. There is no way back."""
    _senders[:] = [sender]


def is_for_sender() -> bool:
    """Is the command of somebody elsewhere, who has no terminal and no processes on this machine?"""
    return bool(_senders)


def find_actor(settings: Settings) -> Actor:
    """Say who acts: who sent the command, or who is at this machine, and may do everything, as Redis is open to him."""
    return _senders[0] if _senders else Actor(settings.user, f"cli@{socket.gethostname()}")
