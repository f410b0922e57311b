"""Many requests to write, some of them on their way at a time; the books are never behind the service."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from sweeps.cost import Usage
from worker.attempt import Attempt
from worker.sdk.futures import PendingAnswer
from worker.sdk.responses import SampledSequence
from worker.sdk.sampler import Sampler, SampleResult, SamplingSettings, bound_usage

AT_ONCE = 64  # requests of one attempt that are on their way; the fleet's own rate paces them besides

BookUsage = Callable[[Usage], None]


class SampleRequest(NamedTuple):
    """What so many are to write behind one prompt, by the chances of a seed."""

    prompt: Sequence[int]
    samples: int
    seed: int


def sample_all(
    this: Attempt, sampler: Sampler, requests: Iterable[SampleRequest], manner: SamplingSettings, use: BookUsage
) -> Iterator[list[SampledSequence]]:
    """What is written to each request, in their order.

    `use` is told the most that a request can count as before it is asked for, and what that was too much by when the
    answer is there. Raises what waiting raises.
    """
    waiting: deque[tuple[Usage, PendingAnswer[SampleResult]]] = deque()
    for prompt, samples, seed in requests:
        this.check()
        bound = bound_usage(len(prompt), samples, manner.most)
        use(bound)
        waiting.append((bound, sampler.write(prompt, samples, manner, seed=seed)))
        if len(waiting) >= AT_ONCE:
            yield _taken(this, *waiting.popleft(), use)
    while waiting:
        yield _taken(this, *waiting.popleft(), use)


def _taken(this: Attempt, bound: Usage, pending: PendingAnswer[SampleResult], use: BookUsage) -> list[SampledSequence]:
    answer = this.wait(pending)
    use(answer.usage.minus(bound))
    return answer.written
