"""Define what a writer of chats is, and what it returns: a chat as text and, split by loss, as tokens."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from sweeps.rendering.chats import ParsedChat


class Stretch(NamedTuple):
    """A run of tokens, wholly with or wholly without loss, and its text."""

    tokens: Sequence[int]
    loss: bool
    text: str


class WrittenChat(Protocol):
    """A chat as one writer writes it."""

    @property
    def whole(self) -> str:
        """The text of all messages."""

    @property
    def learnt(self) -> Mapping[int, str]:
        """For each learnt message the part of the text that bears loss."""

    def write_upto(self, place: int) -> str:
        """Write the messages up to this place, as if nothing followed."""

    def split_by_loss(self) -> list[Stretch]:
        """Return the tokens. Raises DataError if the mask would not be exact."""


class ChatWriter(Protocol):
    """Writes chats, equal ones equally. Raises DataError for a chat that it does not take."""

    def __hash__(self) -> int: ...

    @property
    def name(self) -> str:
        """What errors call it."""

    @property
    def reads(self) -> Collection[str]:
        """Keys of messages that it reads beside those that every renderer reads."""

    def write(self, chat: ParsedChat) -> WrittenChat:
        """Write a chat, and find the parts that bear loss."""

    def write_text(self, chat: ParsedChat) -> str:
        """Write the text alone, also of a chat in which nothing is learnt."""
