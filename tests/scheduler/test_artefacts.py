"""Whatever the store's own client raises when it is away, is told as what it is: the store's failure."""

from collections.abc import Callable
from typing import Any

import pytest

from scheduler.artefacts import Artefacts
from scheduler.errors import ArtefactError
from tests.wording import naming


class EndpointAway(Exception):
    """What a bucket's client raises: no OSError."""


def write(store: Artefacts) -> Any:
    return store.write("stages/one", b"1")


def read(store: Artefacts) -> Any:
    return store.read("stages/one")


@pytest.mark.parametrize(("call", "within"), [(write, "pipe_file"), (write, "mv"), (read, "cat_file")])
@pytest.mark.parametrize("error", [EndpointAway("could not connect"), OSError(28, "No space left on device")])
def test_a_store_that_is_away_is_the_stores_failure(
    monkeypatch: pytest.MonkeyPatch, call: Callable[[Artefacts], Any], within: str, error: Exception
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise error

    store = Artefacts("memory://away")
    monkeypatch.setattr(store._files, within, fails)
    with pytest.raises(
        ArtefactError, match=naming("memory://away", error.strerror if isinstance(error, OSError) else error)
    ):
        call(store)
