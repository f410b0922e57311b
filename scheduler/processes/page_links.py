"""Say where the page is, and make links that log the owner of this machine in to it.

A link is a secret, so it is printed on a terminal only: whoever reads that may do everything anyway.
"""

import socket
import sys

from scheduler.settings import Settings
from scheduler.state.people.actors import Actor
from scheduler.state.people.tokens import create_login
from scheduler.state.store import Store

PAGE = "Page: "
ADVICE = "`sweep web --link` prints a link that logs you in"


def describe_page(store: Store, settings: Settings, url: str) -> str:
    """Say where the page is, and how to log in."""
    if not sys.stdout.isatty():
        return f"{PAGE}{url}  ({ADVICE})"
    return f"{PAGE}{url}\n{describe_link(store, settings, url)}"


def describe_link(store: Store, settings: Settings, url: str) -> str:
    """Make a link to the page at `url` that can be used once, and not for long, and say so."""
    secret = create_login(store, Actor(settings.user, f"cli@{socket.gethostname()}"))
    return f"log in once, within ten minutes: {url}/login?code={secret}"
