"""What is computed beside the requests is computed once for each version, however many names are asked for."""

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
