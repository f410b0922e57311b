"""Many requests to write, some of them on their way at a time; the books are never behind the service."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from sweeps.cost import Usage
from worker.attempt import Attempt
from worker.sdk.futures import Pending
from worker.sdk.responses import Written
from worker.sdk.sampler import Answer, Manner, Sampler, most_of

AT_ONCE = 64  # requests of one attempt that are on their way; the fleet's own rate paces them besides

Use = Callable[[Usage], None]


class Request(NamedTuple):
    """What so many are to write behind one prompt, by the chances of a seed."""

    prompt: Sequence[int]
    samples: int
    seed: int


def write_all(
    this: Attempt, sampler: Sampler, requests: Iterable[Request], manner: Manner, use: Use
) -> Iterator[list[Written]]:
    """What is written to each request, in their order.

    `use` is told the most that a request can count as before it is asked for, and what that was too much by when the
    answer is there. Raises what waiting raises.
    """
    waiting: deque[tuple[Usage, Pending[Answer]]] = deque()
    for prompt, samples, seed in requests:
        this.check()
        bound = most_of(len(prompt), samples, manner.most)
        use(bound)
        waiting.append((bound, sampler.write(prompt, samples, manner, seed=seed)))
        if len(waiting) >= AT_ONCE:
            yield _taken(this, *waiting.popleft(), use)
    while waiting:
        yield _taken(this, *waiting.popleft(), use)


def _taken(this: Attempt, bound: Usage, pending: Pending[Answer], use: Use) -> list[Written]:
    answer = this.wait(pending)
    use(answer.usage.minus(bound))
    return answer.written
