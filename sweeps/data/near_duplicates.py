"""Find what a record asks, and texts that are nearly equal: the same question in both parts is a leak."""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.errors import DataError
from sweeps.records import Format, Records, Row
from sweeps.rendering.chats import FLAGS, list_learnt
from sweeps.rendering.prompts import build_prompt
from sweeps.rendering.prompts import select_learnt as learnt_of_questions

KEPT = "+-*/<>=^%$&#@|~"  # signs that make a formula another one
DROPPED = bytes(
    code for code in range(128) if not chr(code).isalnum() and not chr(code).isspace() and chr(code) not in KEPT
)
LOWER = bytes(range(256)).lower()
SIGNS = re.compile(rf"[^\w\s{re.escape(KEPT)}]|_")
RUN = 8  # words that stand together
LONG = 2 * RUN  # words of a text whose runs say something
COMMON = 4  # texts that may share a run before it says nothing about them
MOST_TEXTS, MOST_WORDS = 2_000, 400  # of held-out texts, and of each text, that are looked at


def list_prompts(rows: Sequence[Row], form: Format, context: str) -> list[str]:
    """List what each row asks, as one text; the text itself if it asks nothing."""
    if form == "questions":
        rows = learnt_of_questions(Records(form, tuple(rows)), context).rows
    return [_prompt(row, form) for row in rows]


def _prompt(row: Row, form: Format) -> str:
    match form:
        case "completion":
            return str(row["prompt"])
        case "preference":
            asked = row["prompt"]
            return asked if isinstance(asked, str) else _join_messages(asked)
        case "questions":
            return build_prompt(row)
        case "chat":
            return _join_messages(row["messages"][: _first_learnt(row["messages"])])
        case "transcript":
            places = [place for place, part in enumerate(row["parts"]) if part["loss"]]
            return "".join(part["text"] for part in row["parts"][: places[0]])
        case _:
            return str(row["text"])


def _first_learnt(messages: Sequence[Mapping[str, Any]]) -> int:
    """Find the first answer that is learnt; the number of messages if there is none, or a flag is wrong.

    A greeting that stands before all questions is an answer to none, unless there is no other.
    """
    first = next((place for place, message in enumerate(messages) if message["role"] == "assistant"), len(messages))
    if first > _first_asked(messages) and first < len(messages) and messages[first].keys().isdisjoint(FLAGS):
        return first
    try:
        places = list(list_learnt(messages))
    except DataError:  # said by whoever renders it, with its line
        return len(messages)
    asked = _first_asked(messages)
    return next((place for place in places if place > asked), next(iter(places), len(messages)))


def _first_asked(messages: Sequence[Mapping[str, Any]]) -> int:
    return next((place for place, message in enumerate(messages) if message["role"] == "user"), len(messages))


def _join_messages(messages: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(f"{message['role']}: {message['content']}" for message in messages)


def fold_text(text: str) -> str:
    """Fold a text, so that case, white space, punctuation and spellings in Unicode make no difference."""
    if text.isascii():
        return " ".join(text.encode().translate(LOWER, DROPPED).decode().split())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(SIGNS.sub("", folded).split())


def hash_group(same: str, content: bytes) -> bytes:
    """Hash what keeps rows that ask alike together; a row that asks nothing is its own group, by `content`."""
    return hashlib.sha256(b"prompt:" + same.encode()).digest() if same else content


def find_shared_runs(held: Sequence[str], train: Sequence[str]) -> dict[int, int]:
    """Map long held-out texts to the text of train with which they share at least half of their runs, by index.

    Texts are as `alike` makes them.
    Runs that more than a few held-out texts have are a form letter, and are not counted. Of training every eighth run
    is looked at, so that a stretch of fifteen shared words is always seen; the cost is linear in the words.
    """
    runs, lengths = _runs_of(held)
    alike: dict[int, int] = {}
    if not runs:
        return alike
    for place, text in enumerate(train):
        words = _words(text)
        anchors = [runs.get(run, ()) for run in _runs(words, RUN)]
        own = [owners for owners in anchors if len(owners) <= COMMON]
        hits = Counter(owner for owners in own for owner in owners)
        for owner, count in hits.items():
            if count >= 2 and 2 * count >= max(len(own), lengths[owner] / RUN):
                alike.setdefault(owner, place)
    return alike


def _runs_of(held: Sequence[str]) -> tuple[dict[int, tuple[int, ...]], dict[int, int]]:
    """Map each run to the texts that have it, and each text to the number of its own runs."""
    owners: dict[int, tuple[int, ...]] = {}
    seen: dict[int, set[int]] = {}
    for place, text in enumerate(held[:MOST_TEXTS]):
        seen[place] = set(_runs(_words(text), 1))
        for run in seen[place]:
            those = owners.get(run, ())
            if len(those) <= COMMON:
                owners[run] = (*those, place)
    return owners, {place: sum(len(owners[run]) <= COMMON for run in runs) for place, runs in seen.items()}


def _words(text: str) -> list[str]:
    return text.split(" ", MOST_WORDS)[:MOST_WORDS] if text.count(" ") >= LONG - 1 else []


def _runs(words: Sequence[str], step: int) -> list[int]:
    if len(words) < LONG:
        return []
    return [hash(tuple(words[at : at + RUN])) for at in range(0, len(words) - RUN + 1, step)]
