"""What is computed beside the requests is computed once for each version, however many names are asked for."""

import asyncio
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from web.background import Background


def test_more_names_than_are_kept_are_not_computed_again_and_again() -> None:
    """A page of forty sweeps asks for each of them every second, and computing takes its share of a processor."""
    computed = Counter[str]()

    def compute(name: str) -> str:
        computed[name] += 1
        return name

    with ThreadPoolExecutor(2) as pool:
        background = Background(pool, compute, kept=2, share=1e-9)  # whatever was computed rests for long
        for _ in range(3):
            for number in range(8):
                background.look(str(number), "1", patience=10)
    assert computed == Counter(str(number) for number in range(8))


def test_a_value_is_of_the_version_that_is_asked_for_or_none() -> None:
    with ThreadPoolExecutor(1) as pool:
        background = Background(pool, lambda name: name, share=1e-9)
        assert background.look("a", "1", patience=10).read_version("1") == "a"
        newer = background.look("a", "2")
        assert (newer.value, newer.read_version("2")) == ("a", None), "the older value is known, and said to be older"


def test_who_waits_for_a_value_holds_no_thread_and_the_last_version_is_computed_at_once() -> None:
    """Forty wait in one thread, which goes on meanwhile."""
    begun, may_end = threading.Event(), threading.Event()
    versions = iter("123456")

    def compute(_: str) -> str:
        begun.set()
        assert may_end.wait(30)
        return next(versions)

    async def wait_together(background: Background[str]) -> list[str | None]:
        waiting = [asyncio.ensure_future(background.find("a", "1", 30)) for _ in range(40)]
        while not begun.is_set():
            await asyncio.sleep(0)
        may_end.set()
        return [look.value for look in await asyncio.gather(*waiting)]

    with ThreadPoolExecutor(1) as pool:
        background = Background(pool, compute, share=1e-9)
        assert asyncio.run(wait_together(background)) == ["1"] * 40
        assert asyncio.run(background.find("a", "2", 30)).value == "1", "it was computed a moment ago"
        assert asyncio.run(background.find("a", "2", 30, is_last=True)).value == "2"
