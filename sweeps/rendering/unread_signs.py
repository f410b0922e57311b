"""Count the answers that only signs decide, such as `<>` and `==`, which the model of whole chats can only copy.

It reads words, wherever they are, and signs next to what it writes. Whether it copies the next sign or writes another
one, it decides by the words that it read and by what it has written. So two rows with the same words and other signs
are one row to it, until the first sign that it writes differs; then it sees that. Names that are copied are alike to
it, too, whatever they are.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from sweeps.rendering.render import Example
from sweeps.rendering.tokenizer import OfflineTokenizer

PIECE, WORD = re.compile(r"\w+|\W"), re.compile(r"\w+")  # a piece is a word, or one sign
IN_SIGHT = 2  # characters of an answer at which it sees the signs before it, too, by their distance
RARE = 0.1  # share of the rows with as many words, below which a word that is copied is a name
NAME, COPY = "\0", "\1"  # what stands for a name, and for copying as an action
Pieces = tuple[str, ...]


class SignsAlike(NamedTuple):
    """How many of some answers only signs decide, and the parts of two inputs that read the same."""

    answers: int
    total: int
    examples: Pieces = ()


class _Turn(NamedTuple):
    """What was read, and what was answered."""

    read: Pieces
    written: Pieces

    @property
    def words(self) -> Pieces:
        return tuple(piece for piece in self.read if is_word(piece))

    def mark(self, names: frozenset[str]) -> "_Turn":
        read, written = (tuple(NAME if piece in names else piece for piece in side) for side in self)
        return _Turn(read, written)


class _Choice(NamedTuple):
    """A piece of an answer: of which turn, the actions that give it, and all that was read."""

    turn: int
    right: frozenset[str]
    read: Pieces


def is_word(piece: str) -> bool:
    """Whether it is a word, or stands for a name, and not a sign."""
    return piece == NAME or WORD.match(piece) is not None


def count_sign_decisions(examples: Sequence[Example]) -> SignsAlike:
    """Count the answers with a piece that the words and what is written leave open, and the signs decide."""
    turns = [turn for example in examples for turn in _list_turns(example)]
    lost: dict[int, int] = {}  # the turns, each with one that reads the same
    for choices in _list_choices(turns):
        if missed := _list_missed(choices):
            by_read = defaultdict[Pieces, list[_Choice]](list)
            for choice in choices:
                by_read[choice.read].append(choice)
            unknown = {turn for same in by_read.values() for turn in _list_missed(same)}
            other = next(choice.turn for choice in choices if choice.turn not in missed)
            lost |= dict.fromkeys(missed - unknown, other)
    shown = _show_difference(*(turns[turn].read for turn in min(lost.items()))) if lost else ()
    return SignsAlike(len(lost), len(turns), shown)


def _list_turns(example: Example) -> Iterator[_Turn]:
    """List the learnt parts of an example, each with all that stands before it."""
    tokens, learnt = example.tokens.tolist(), [False, *(example.weights > 0).tolist(), False]
    edges = [at for at in range(1, len(learnt)) if learnt[at] != learnt[at - 1]]
    decode = OfflineTokenizer().decode
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        read, written = (tuple(PIECE.findall(decode(part))) for part in (tokens[:start], tokens[start:end]))
        yield _Turn(read, written)


def _list_choices(turns: Sequence[_Turn]) -> Iterator[list[_Choice]]:
    """Group the pieces of all answers by what the model knows when it chooses them."""
    places = defaultdict[int, list[_Choice]](list)
    known: dict[tuple[int, Pieces | str], int] = {}  # a number for the words, and for each beginning of an answer
    for number, (turn, names) in enumerate(zip(turns, _find_names(turns), strict=True)):
        marked, follows, length = turn.mark(names), _list_followers(turn.read), 0
        place = known.setdefault((0, marked.words), len(known) + 1)
        for at, piece in enumerate(marked.written):
            if length >= IN_SIGHT:
                places[place].append(_Choice(number, _list_actions(turn, at, piece, follows), marked.read))
            place = known.setdefault((place, piece), len(known) + 1)
            length += len(turn.written[at])
    yield from (choices for choices in places.values() if len(choices) > 1)


def _find_names(turns: Sequence[_Turn]) -> Iterator[frozenset[str]]:
    """Find the words that each turn copies and that few others have in their place: which they are decides nothing."""
    listed = [turn.words for turn in turns]
    alike = Counter(map(len, listed))
    counts = Counter((len(words), at, word) for words in listed for at, word in enumerate(words))
    for turn, words in zip(turns, listed, strict=True):
        size = len(words)
        fixed = {word for at, word in enumerate(words) if counts[size, at, word] >= max(2, RARE * alike[size])}
        yield frozenset(words).intersection(turn.written) - fixed


def _list_followers(read: Pieces) -> Mapping[Pieces, set[str]]:
    """List which pieces follow each word and the signs behind it."""
    follows = defaultdict[Pieces, set[str]](set)
    since: Pieces = ()
    for piece in read:
        follows[since].add(piece)
        since = (piece,) if is_word(piece) else (*since, piece)
    return follows


def _list_actions(turn: _Turn, at: int, piece: str, follows: Mapping[Pieces, set[str]]) -> frozenset[str]:
    """List what gives this piece: writing it, unless it is a name, and copying it, where it can be pointed at."""
    if piece == NAME:
        return frozenset({COPY})
    if is_word(piece):
        return frozenset({piece, COPY} if piece in turn.read else {piece})
    start = next((back for back in range(at - 1, -1, -1) if is_word(turn.written[back])), 0)
    return frozenset({piece, COPY} if piece in follows.get(turn.written[start:at], ()) else {piece})


def _list_missed(choices: Sequence[_Choice]) -> set[int]:
    """List the turns for which the action that is right for most is wrong."""
    counts = Counter(action for choice in choices for action in choice.right)
    best = max(counts, key=lambda action: counts[action])
    return {choice.turn for choice in choices if best not in choice.right}


def _show_difference(read: Pieces, other: Pieces) -> Pieces:
    """Show the first signs by which two inputs differ, with the words around them."""
    parts = [_split_words(side) for side in (read, other)]
    ends = [place for place, gaps in enumerate(zip(*(side[::2] for side in parts), strict=True)) if len({*gaps}) > 1]
    first = 2 * ends[0] if ends else 0
    return tuple("".join(side[max(0, first - 1) : first + 2]) for side in parts)


def _split_words(read: Pieces) -> list[str]:
    """Split it into signs and words in turn; it begins and ends with signs, or with none."""
    return re.split(r"(\w+)", "".join(read))
