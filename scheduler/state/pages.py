"""Ask the server about many stages, a page of them in each round trip."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from scheduler.state.connection import Client, Pipe

PAGE = 500  # stages in one round trip


def read_in_pages(
    client: Client, stages: Sequence[str], ask: Callable[[Pipe, str], object]
) -> Iterator[tuple[str, Any]]:
    """Yield each stage with its answer. `ask` sends one command for one stage."""
    for start in range(0, len(stages), PAGE):
        page = stages[start : start + PAGE]
        pipe = client.pipeline(transaction=False)
        for stage in page:
            ask(pipe, stage)
        yield from zip(page, pipe.execute(), strict=True)
