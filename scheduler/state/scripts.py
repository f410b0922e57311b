"""Load the Lua verbs and run them. Each verb is one file behind the tables of moves and the preludes."""

from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from scheduler.state.commands import Word
from scheduler.state.connection import Client
from scheduler.state.keys import PREFIX
from scheduler.state.layout import LAYOUT
from scheduler.state.states import BREAKER_MOVES, MOVES, SWEEP_MOVES, write_as_lua

Clock = Callable[[], int]


PRELUDES = tuple(
    f"_prelude{topic}.lua"
    for topic in ("_write", "", "_people", "_attempts", "_notices", "_service", "_books", "_money", "_keeping")
)  # in this order: each may use those before it


@cache
def load_verbs() -> dict[str, str]:
    """Return the whole script of each verb by name."""
    folder = files("scheduler.state") / "lua"
    texts = {entry.name: entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.name.endswith(".lua")}
    return {
        name.removesuffix(".lua"): build_script(name.removesuffix(".lua"), text)
        for name, text in sorted(texts.items())
        if name not in PRELUDES
    }


def build_script(name: str, body: str) -> str:
    """Build the script that the server runs: preludes, then the verb, all or nothing (`lua/_prelude_write.lua`)."""
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


LARGEST = 2**53  # beyond it, one Lua number means several integers


def spell_word(word: Word) -> Word:
    """Write a number as Redis and Lua both read it: no exponent if it is whole. Raise ValueError."""
    if isinstance(word, str):
        return word
    if not -LARGEST <= word <= LARGEST:  # NaN fails too
        raise ValueError(f"expected a number up to 2^53, got {word}")
    return int(word) if word == int(word) else word


class Scripts:
    """The verbs of one server. A clock (milliseconds) replaces the server's in tests."""

    def __init__(self, client: Client, clock: Clock | None = None) -> None:
        self._client = client
        self._clock = clock
        self._verbs = {name: client.register_script(text) for name, text in load_verbs().items()}

    def run(self, verb: str, *arguments: Word) -> Any:
        """Run one verb in one round trip."""
        return self._verbs[verb](args=[PREFIX, self.make_time_argument(), *map(spell_word, arguments)])

    def run_many(self, verb: str, calls: Sequence[Sequence[Word]]) -> list[Any]:
        """Run one verb many times in one pipeline. Only for verbs that may be repeated: a lost reply repeats all."""
        pipe = self._client.pipeline(transaction=False)
        for arguments in calls:
            self._verbs[verb](args=[PREFIX, self.make_time_argument(), *map(spell_word, arguments)], client=pipe)
        return pipe.execute()

    def read_time(self) -> int:
        """Read the time of the verbs, in milliseconds since 1970."""
        if self._clock is not None:
            return self._clock()
        seconds, micros = self._client.time()
        return seconds * 1000 + micros // 1000

    def make_time_argument(self) -> Word:
        """Return the time argument of a verb; '' lets the server use its own clock."""
        return "" if self._clock is None else self._clock()
