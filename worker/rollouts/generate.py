"""Sample for many prompts, several requests in flight at a time; the books are never behind the service."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
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
    remaining = iter(requests)
    waiting = deque(_send(this, sampler, request, settings, use) for request in islice(remaining, AT_ONCE))
    while waiting:
        bound, pending = waiting.popleft()
        answer = this.wait(pending)
        use(answer.usage.minus(bound))
        yield answer.written
        waiting.extend(_send(this, sampler, request, settings, use) for request in islice(remaining, 1))


def _send(
    this: Attempt, sampler: Sampler, request: SampleRequest, settings: SamplingSettings, use: BookUsage
) -> tuple[Usage, PendingAnswer[SampleResult]]:
    this.check()
    bound = bound_usage(len(request.prompt), request.samples, settings.most)
    use(bound)
    return bound, sampler.write(request.prompt, request.samples, settings, seed=request.seed)
