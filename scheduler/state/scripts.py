"""Load the Lua verbs and run them. Each verb is one file behind the tables of moves and the preludes."""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from scheduler.state.commands import Word
from scheduler.state.connection import Client
from scheduler.state.keys import PREFIX
from scheduler.state.layout import LAYOUT
from scheduler.state.states import BREAKER_MOVES, MOVES, SWEEP_MOVES, spell_moves

Clock = Callable[[], int]


PRELUDES = tuple(
    f"_prelude{topic}.lua"
    for topic in (
        "_write",
        "",
        "_people",
        "_attempts",
        "_notices",
        "_service",
        "_books",
        "_money",
        "_keeping",
        "_rounds",
    )
)  # in this order: each may use those before it


@cache
def load_verbs() -> dict[str, str]:
    """Return the text of each verb by name: its file, without the preludes."""
    folder = files("scheduler.state") / "lua"
    texts = {entry.name: entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.name.endswith(".lua")}
    return {name.removesuffix(".lua"): text for name, text in sorted(texts.items()) if name not in PRELUDES}


def build_script(name: str, body: str) -> str:
    """Build the script that the server runs: what it uses of the preludes, then the verb, all or nothing."""
    verb = wrap_verb(name, _drop_comments(body))
    return "\n".join([*(definition.text for definition in link(verb)), verb])


def wrap_verb(name: str, body: str) -> str:
    """Write the end of a script: the verb as a function, and its call."""
    return f"local function verb()\n{body}\nend\nreturn perform('{name}', verb)"


class Definition(NamedTuple):
    """One `local` of a prelude: its file, its text, the names that it gives, and all words in it."""

    file: str
    text: str
    names: frozenset[str]
    words: frozenset[str]


def link(verb: str) -> list[Definition]:
    """List the definitions that a verb uses, and those that these use, in their order. Each word counts as a use.

    The server runs a whole script at every call, and all preludes would take it longer than most verbs do.
    """
    used, linked = _list_words(verb), list[Definition]()
    for definition in reversed(_read_definitions()):
        if definition.names & used:
            linked.append(definition)
            used |= definition.words
    return linked[::-1]


@cache
def _read_definitions() -> tuple[Definition, ...]:
    folder = files("scheduler.state") / "lua"
    tables = {
        "": f"local LAYOUT = '{LAYOUT}'\nlocal MOVES = '{spell_moves(MOVES)}'\n"
        f"local SWEEP_MOVES = '{spell_moves(SWEEP_MOVES)}'\nlocal BREAKER_MOVES = '{spell_moves(BREAKER_MOVES)}'\n"
    }
    texts = tables | {name: (folder / name).read_text(encoding="utf-8") for name in PRELUDES}
    return tuple(definition for file, text in texts.items() for definition in _split(file, text))


def _split(file: str, text: str) -> Iterator[Definition]:
    """Split a prelude at the lines that begin with `local`."""
    for part in re.split(r"^(?=local )", _drop_comments(text), flags=re.MULTILINE):
        if part.strip():
            function = re.match(r"local function (\w+)", part)
            names = function.groups() if function else _list_words(re.split(r"[=\n]", part)[0]) - {"local"}
            yield Definition(file, part.rstrip(), frozenset(names), frozenset(_list_words(part)))


def _drop_comments(text: str) -> str:
    """Drop the lines that are comments: a word in one is no use of a definition."""
    return re.sub(r"^\s*--.*\n", "", text, flags=re.MULTILINE)


def _list_words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


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
        self._verbs = {name: client.register_script(build_script(name, text)) for name, text in load_verbs().items()}

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
