"""The Lua verbs as callables. One file, one verb; the prelude and the table of moves stand in front of each."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from scheduler.state.connection import Client, Word
from scheduler.state.keys import PREFIX
from scheduler.state.layout import LAYOUT
from scheduler.state.states import BREAKER_MOVES, MOVES, SWEEP_MOVES, write_as_lua

Clock = Callable[[], int]


PRELUDES = tuple(
    f"_prelude{topic}.lua" for topic in ("_write", "", "_attempts", "_notices", "_service", "_money")
)  # in this order: each may use those before it


@cache
def load_verbs() -> dict[str, str]:
    """Name of each verb -> its whole script."""
    folder = files("scheduler.state") / "lua"
    texts = {entry.name: entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.name.endswith(".lua")}
    return {
        name.removesuffix(".lua"): build_script(name.removesuffix(".lua"), text)
        for name, text in sorted(texts.items())
        if name not in PRELUDES
    }


def build_script(name: str, body: str) -> str:
    """A verb as the server runs it: behind the preludes, and wholly or not at all (`lua/_prelude_write.lua`)."""
    return f"{_load_preludes()}\nlocal function verb()\n{body}\nend\nreturn perform('{name}', verb)"


@cache
def _load_preludes() -> str:
    folder = files("scheduler.state") / "lua"
    return "\n".join(
        [
            f"local LAYOUT = '{LAYOUT}'",
            f"local MOVES = {write_as_lua(MOVES)}",
            f"local SWEEP_MOVES = {write_as_lua(SWEEP_MOVES)}",
            f"local BREAKER_MOVES = {write_as_lua(BREAKER_MOVES)}",
            *((folder / name).read_text(encoding="utf-8") for name in PRELUDES),
        ]
    )


LARGEST = 2**53  # beyond it a number of Lua stands for several integers


def spell_word(word: Word) -> Word:
    """A number as a server and Lua both read it: without an exponent where it is whole. Raises ValueError."""
    if isinstance(word, str):
        return word
    if not -LARGEST <= word <= LARGEST:  # NaN neither
        raise ValueError(f"expected a number up to 2^53, got {word}")
    return int(word) if word == int(word) else word


class Scripts:
    """Runs verbs on one server; a clock of its own (milliseconds) takes the place of the server's in tests."""

    def __init__(self, client: Client, clock: Clock | None = None) -> None:
        self._client = client
        self._clock = clock
        self._verbs = {name: client.register_script(text) for name, text in load_verbs().items()}

    def run(self, verb: str, *arguments: Word) -> Any:
        """One verb, one round trip."""
        return self._verbs[verb](args=[PREFIX, self.time_argument(), *map(spell_word, arguments)])

    def run_many(self, verb: str, calls: Sequence[Sequence[Word]]) -> list[Any]:
        """One verb for many, in one pipeline. Only for verbs that may be repeated: a lost reply repeats them all."""
        pipe = self._client.pipeline(transaction=False)
        for arguments in calls:
            self._verbs[verb](args=[PREFIX, self.time_argument(), *map(spell_word, arguments)], client=pipe)
        return pipe.execute()

    def read_time(self) -> int:
        """Milliseconds since 1970, by the clock that the verbs go by."""
        if self._clock is not None:
            return self._clock()
        seconds, micros = self._client.time()
        return seconds * 1000 + micros // 1000

    def time_argument(self) -> Word:
        """The time to send along: '' lets the server look at its own clock."""
        return "" if self._clock is None else self._clock()
