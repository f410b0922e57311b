"""Write a chat by a renderer of tinker-cookbook, which says of each token whether it bears loss."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby

from sweeps.rendering.chats import ParsedChat
from sweeps.rendering.tokenizer import Cookbook, Tokenizer
from sweeps.rendering.written_chat import Stretch


@dataclass(frozen=True)
class CookbookWriter:
    """Writes chats by a renderer of the cookbook."""

    cookbook: Cookbook
    tokenizer: Tokenizer
    name = "the cookbook's renderer"
    reads = ()

    def write(self, chat: ParsedChat) -> "CookbookChat":
        """Write a chat. Raises DataError if the renderer refuses it."""
        written = self.cookbook.render_weighted(chat.messages, chat.tools, chat.learnt)
        runs = groupby(zip(written.tokens, written.weights, strict=True), key=lambda pair: pair[1] > 0)
        cut = [(loss, [token for token, _ in pairs]) for loss, pairs in runs]
        return CookbookChat(self, chat, [Stretch(tokens, loss, self.tokenizer.decode(tokens)) for loss, tokens in cut])

    def write_text(self, chat: ParsedChat) -> str:
        """Write the text alone; where nothing is learnt, with the header of the answer that would follow."""
        if chat.learnt:
            return self.write(chat).whole
        return self.tokenizer.decode(self.cookbook.prompt(chat.messages, chat.tools))


@dataclass(frozen=True)
class CookbookChat:
    """A chat as the cookbook writes it."""

    writer: CookbookWriter
    chat: ParsedChat
    stretches: list[Stretch]

    @property
    def whole(self) -> str:
        """The text of all messages."""
        return self.writer.tokenizer.decode([token for stretch in self.stretches for token in stretch.tokens])

    @property
    def learnt(self) -> Mapping[int, str]:
        """The learnt part of each message: a run of tokens for each, or all runs for all."""
        runs = [stretch.text for stretch in self.stretches if stretch.loss]
        if len(runs) != len(self.chat.learnt):
            runs = ["".join(runs)] * len(self.chat.learnt)
        return dict(zip(self.chat.learnt, runs, strict=True))

    def write_upto(self, place: int) -> str:
        """Write the messages up to this place, as if it alone were learnt."""
        return self.writer.write(ParsedChat(self.chat.messages[: place + 1], self.chat.tools, [place])).whole

    def split_by_loss(self) -> list[Stretch]:
        """Return the tokens as the cookbook weighs them."""
        return self.stretches
