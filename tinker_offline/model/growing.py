"""Read a text that grows token by token: the same as `reading` says of its last position.

Plain Python numbers, because an array of one number costs more than the arithmetic.
"""

from bisect import bisect_right

from tinker_offline.model.answering_line import NO_QUESTION, find_evidence
from tinker_offline.model.characters import BEGIN, NEWLINE
from tinker_offline.model.feature_rows import LONGEST_AGE, LONGEST_LINE, LONGEST_RUN
from tinker_offline.model.hashing import BLANK, DIGIT, IN_WORD, INTRODUCES, KINDS, MASK, PAD, POWERS, VALUES
from tinker_offline.model.reading import MATCHES, NOWHERE

_IN_WORD, _KINDS, _VALUES, _POWERS = IN_WORD.tolist(), KINDS.tolist(), VALUES.tolist(), POWERS.tolist()
_INTRODUCES = INTRODUCES.tolist()


class _GrowingRun:
    """The hash of a run of characters, as it grows."""

    __slots__ = ("hash", "length")

    def __init__(self, total: int = 0, length: int = 0) -> None:
        self.hash, self.length = total, length

    def add(self, token: int) -> None:
        self.hash = (self.hash + _VALUES[token] * _POWERS[self.length]) & MASK
        self.length += 1

    def copy(self) -> "_GrowingRun":
        return _GrowingRun(self.hash, self.length)


class GrowingText:
    """What is known of a text, as far as it is written."""

    def __init__(self, *, finds: bool = False) -> None:
        self.evidence, self._finds = NO_QUESTION, finds
        self.tokens: list[int] = []
        self.words: list[int] = []  # the hashes of the words that are complete
        self.word_lines: list[int] = []
        self.line, self.slots = 0, 0
        self.follows = NOWHERE  # the number of the word at which the text was last retold
        self.word_slots: list[int] = []  # the slot at which the word of each position began
        self.alike: tuple[int, ...] = ()  # earlier positions whose word so far begins like this one
        self.in_word, self.age = False, 0
        self.word = self.gap = self.before = self.earlier = 0
        self._run, self._since, self._opener, self._second = _GrowingRun(), _GrowingRun(), _GrowingRun(), _GrowingRun()
        self._ended = (0, 0, 0, 0)  # the hashes of the last runs that ended
        self._opening = self._at_second = False
        self._begun_in_line = self._complete_before_line = 0
        self._occurrences: dict[int, tuple[int, ...]] = {}
        self._beginnings: dict[int, tuple[int, ...]] = {}  # where words so far ended that began like this
        self._phrases: list[tuple[int, int]] = []  # the word before and the gap, at each position

    def copy(self) -> "GrowingText":
        twin = GrowingText()
        for name, value in vars(self).items():
            setattr(twin, name, value.copy() if isinstance(value, (list, dict, _GrowingRun)) else value)
        return twin

    def write(self, token: int) -> None:
        in_word, first = _IN_WORD[token], not self.tokens
        last = PAD if first else self.tokens[-1]
        changes = first or in_word != self.in_word
        if changes and not first:
            self._end_run()
        self.in_word = in_word
        self._run.add(token)
        self._write_line(token, last, changes=changes)
        if first or token in (NEWLINE, BEGIN) or (token == BLANK and _INTRODUCES[last]):
            self.age, self._since = 0, _GrowingRun()
            if self._finds:
                self.evidence = find_evidence(self.words, self.word_lines, self.line)
        else:
            self.age += 1
            self._since.add(token)
        self._name_phrase()
        self.slots += not in_word
        self.tokens.append(token)
        self.word_slots.append(self.slots - 1)

    def _end_run(self) -> None:
        ended = _scramble(self._run.hash)
        self._ended = (*self._ended[1:], ended)
        self._run = _GrowingRun()
        if self.in_word:
            places = self._occurrences.get(ended, ())
            if places:
                self.follows = places[min(bisect_right(places, self.follows), len(places) - 1)]
            self._occurrences[ended] = (*places, len(self.words))
            self.words.append(ended)
            self.word_lines.append(self.line)

    def _write_line(self, token: int, last: int, *, changes: bool) -> None:
        if not self.tokens or (last == NEWLINE and token != NEWLINE):
            self.line += 1
            self._begun_in_line, self._complete_before_line = 0, len(self.words)
            self._opener, self._second = _GrowingRun(), _GrowingRun()
            self._opening, self._at_second = True, False
            if token == BEGIN:
                return
        self._opening &= not (changes and self._opener.length)
        if self._opening:
            self._opener.add(token)
        if changes:
            self._begun_in_line += self.in_word
            self._at_second = self.in_word and self._begun_in_line == 2
        if self._at_second:
            self._second.add(token)

    def _name_phrase(self) -> None:
        so_far = _scramble(self._run.hash)
        if self.in_word:
            self.word = so_far
            self.earlier, _, self.before, self.gap = self._ended
            self.alike = self._beginnings.get(so_far, ())
            self._beginnings[so_far] = (*self.alike[1 - MATCHES :], len(self.tokens))
        else:
            self.word, self.gap = 0, so_far
            _, self.earlier, _, self.before = self._ended
            self.alike = ()
        self._phrases.append((self.before, self.gap))

    def view(self) -> list[int]:
        """Return the columns of `Known` up to LINE_WORDS."""
        recent = [*self.tokens[:-6:-1], PAD, PAD, PAD, PAD]
        two = recent[0] * DIGIT + recent[1]
        three = two * DIGIT + recent[2]
        four = three * DIGIT + recent[3]
        return [
            1,
            recent[0],
            two,
            three,
            four,
            four * DIGIT + recent[4],
            _KINDS[recent[0]],
            self.word,
            self.gap,
            self.before,
            self.earlier,
            self._since.hash,
            min(self.age, LONGEST_AGE),
            self.before if self.age else 0,
            self.length,
            self._match(),
            self._opener.hash,
            self._second.hash,
            min(len(self.words) - self._complete_before_line, LONGEST_LINE),
        ]

    @property
    def length(self) -> int:
        """The length of the word so far, as `Known.LENGTH` has it."""
        return min(self._run.length - 1, LONGEST_RUN) if self.in_word else 0

    def _match(self) -> int:
        """Return what followed the latest word that began like this one, best one in the same phrase."""
        if not self.alike:
            return PAD
        here = (self.before, self.gap)
        tests = (
            (place for place in reversed(self.alike) if self._phrases[place] == here),
            (place for place in reversed(self.alike) if self._phrases[place][0] == self.before),
            reversed(self.alike),
        )
        for test in tests:
            for place in test:
                return self.tokens[place + 1]
        return PAD


def _scramble(total: int) -> int:
    return total ^ (total >> 31)
