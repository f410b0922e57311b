"""Transcripts: how text becomes tokens for the model, and how its tokens become a turn, by the recipe's renderer."""

from collections.abc import Sequence
from functools import cached_property

from sweeps.environments import Messages, Text
from sweeps.rendering.answer_text import ASKED, Utterance, find_opening, parse_answer
from sweeps.rendering.renderers import Renderer
from sweeps.rendering.tokenizer import get_size
from sweeps.rendering.turns import build_generation_prompt, continue_chat, list_stops

PROMPT_END = 16  # tokens at the end of a prompt, which hold the mark of a thought that the prompt begins
ENDED = "(end)"  # stands for an end token that has no text


class TranscriptReader:
    """Turns prompts and observations into tokens, and tokens of the model into turns."""

    def __init__(self, renderer: Renderer) -> None:
        self._tokenizer = renderer.tokenizer
        self._renderer = renderer
        self._ends = list_stops(renderer)
        self.vocabulary = get_size(renderer.tokenizer)

    @cached_property
    def _opened(self) -> str:
        """Return the mark of the thought that a prompt of messages begins; "" if it begins none."""
        return find_opening(self.decode(self.encode_prompt([ASKED])[-PROMPT_END:]))

    def list_stops(self, texts: tuple[str, ...], *, messages: bool) -> tuple[str, ...] | tuple[int, ...]:
        """List what ends an action: these texts, and in messages the end of a turn; all as texts, or all as tokens."""
        stops = (*texts, *self._ends) if messages else texts
        tokens = tuple(stop for stop in stops if isinstance(stop, int))
        if len(tokens) == len(stops):
            return tokens
        return tuple(stop if isinstance(stop, str) else self.decode([stop]) for stop in stops)

    def encode_prompt(self, text: Text) -> list[int]:
        """Encode text or messages up to where the model continues."""
        return build_generation_prompt(text, self._renderer)

    def encode_observation(self, so_far: Messages, turn: Utterance, text: Text) -> tuple[list[int], Messages]:
        """Return the tokens that follow a turn, and the chat with both. Raises DataError if the renderer cannot."""
        if isinstance(text, str):
            return self._tokenizer.encode(text), [*so_far, {"role": "assistant", "content": turn.whole}]
        tokens, message = continue_chat(so_far, turn, text, self._renderer)
        return tokens, [*so_far, message, *text]

    def read_turn(self, tokens: Sequence[int], *, messages: bool) -> Utterance:
        """Read a turn without the mark by which the model ended it; in plain text all of it is the answer."""
        text, end = self._split_end(tokens, messages=messages)
        if not messages or self._renderer.is_plain:
            return Utterance(text, text, end=end)
        return parse_answer(text, self._tokenizer, opened=self._opened, end=end)

    def _split_end(self, tokens: Sequence[int], *, messages: bool) -> tuple[str, str]:
        text = self.decode(tokens)
        for end in self._ends if messages else ():
            if tokens and tokens[-1] == end:
                return self.decode(tokens[:-1]), self.decode(tokens[-1:]) or ENDED
            if isinstance(end, str) and text.endswith(end):
                return text.removesuffix(end), end
        if tokens and tokens[-1] == self._tokenizer.eos:
            return self.decode(tokens[:-1]), self.decode(tokens[-1:]) or ENDED
        return text, "" if messages else ENDED

    def decode(self, tokens: Sequence[int]) -> str:
        return self._tokenizer.decode(tokens)
