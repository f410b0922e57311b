"""Record what Redis does not allow our user, so that commands say the same as at the start.

A missing right is a setting that is wrong, not a bug: nothing new starts while it is missing, no stage fails because of
it, and everything continues as soon as the right is there. It uses plain commands.
"""

from contextlib import suppress

from scheduler.errors import StoreUnavailable
from scheduler.state import keys
from scheduler.state.connection import Client, RedisError, Refused

LASTS = 15  # seconds for which a refusal counts; what is still refused is recorded again every few seconds


def record_refusal(client: Client, error: Refused) -> None:
    """Record what Redis refused, unless it refuses that too."""
    with suppress(RedisError):
        client.set(keys.REFUSAL, str(error), ex=LASTS)


def read_refusal(client: Client) -> str:
    """Return what Redis refused a moment ago, with the line that allows it; "" if nothing."""
    return client.get(keys.REFUSAL) or ""


def raise_for_refusal(client: Client) -> None:
    """Raise StoreUnavailable if Redis refused something a moment ago."""
    if refusal := read_refusal(client):
        raise StoreUnavailable(f"{refusal}\nthen the same command continues from here")


def forget_refusal(client: Client) -> None:
    """Forget what was refused, because everything starts again."""
    client.delete(keys.REFUSAL)
