"""Sample for many prompts, several requests in flight at a time; the books are never behind the service."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from sweeps.cost import Usage
from worker.attempt import Attempt
from worker.sdk.futures import PendingAnswer
from worker.sdk.responses import SampledSequence
from worker.sdk.sampler import Sampler, SampleResult, SamplingSettings, bound_usage

AT_ONCE = 64  # requests of one attempt in flight; the fleet's rate limit paces them as well

BookUsage = Callable[[Usage], None]


class SampleRequest(NamedTuple):
    """Some samples for one prompt, with the seed that they are drawn by."""

    prompt: Sequence[int]
    samples: int
    seed: int


def sample_all(
    this: Attempt, sampler: Sampler, requests: Iterable[SampleRequest], settings: SamplingSettings, use: BookUsage
) -> Iterator[list[SampledSequence]]:
    """Yield the samples of each request, in order.

    `use` books the most that a request can cost before it is sent, and corrects that when the answer is there. Raises
    what waiting raises.
    """
    waiting: deque[tuple[Usage, PendingAnswer[SampleResult]]] = deque()
    for prompt, samples, seed in requests:
        this.check()
        bound = bound_usage(len(prompt), samples, settings.most)
        use(bound)
        waiting.append((bound, sampler.write(prompt, samples, settings, seed=seed)))
        if len(waiting) >= AT_ONCE:
            yield _receive(this, *waiting.popleft(), use)
    while waiting:
        yield _receive(this, *waiting.popleft(), use)


def _receive(
    this: Attempt, bound: Usage, pending: PendingAnswer[SampleResult], use: BookUsage
) -> list[SampledSequence]:
    answer = this.wait(pending)
    use(answer.usage.minus(bound))
    return answer.written
