"""Build what a model reads before it acts, and what is put behind its own tokens before it acts again.

The tokens of a dialogue only grow: the prompt, the model's sample, the environment's answer, the next sample. They are
never rendered again, because the log-probabilities of a sample belong to the tokens before it. So an answer of messages
must continue the tokens exactly as the renderer would write the whole chat. A renderer that would write the model's own
words differently (mostly without its thoughts) is refused.

Text is taken as it is: a prompt is bos and the text, an answer the text.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sweeps.errors import DataError
from sweeps.rendering.answer_text import ASKED, ENDS, KINDS, Utterance, find_opening, parse_answer
from sweeps.rendering.chat_template import build_chat, locate_answer
from sweeps.rendering.plain_chat import TURN_END, encode_plain_chat
from sweeps.rendering.renderers import Renderer
from sweeps.rendering.tokenizer import Cookbook, Messages, Stop, Template, Tokenizer, Tools, get_controls, get_ends

Text = str | Messages


def build_generation_prompt(prompt: Text, renderer: Renderer, *, tools: Tools = ()) -> list[int]:
    """Encode what the model reads before it acts. Raises DataError for messages that the renderer does not take."""
    tokenizer = renderer.tokenizer
    begin = [] if tokenizer.bos is None else [tokenizer.bos]
    if isinstance(prompt, str):
        return [*begin, *tokenizer.encode(prompt)]
    if renderer.template is not None:
        chat = build_chat(prompt, tools, renderer.template, tokenizer)
        return tokenizer.encode(chat.text(prompt=True))
    if renderer.cookbook is not None:
        return renderer.cookbook.prompt(prompt, tools)
    return [*begin, *encode_plain_chat(prompt, tools, tokenizer)]


def build_continuation(
    so_far: Messages, new: Text, renderer: Renderer, *, ended: bool = True, tools: Tools = ()
) -> list[int]:
    """Encode what is put behind the model's own tokens: the environment's answer, up to where the model acts again.

    `so_far` ends with the assistant's message that has the text of those tokens, without what ended them. `ended` says
    whether they ended with one of `stops`; if not (a limit, another stop text), the turn is ended first. Raises
    DataError where the renderer would not go on from the tokens that stand there.
    """
    tokenizer = renderer.tokenizer
    if isinstance(new, str):
        return tokenizer.encode(new)
    if not so_far or so_far[-1]["role"] != "assistant":
        raise DataError("expected a message of the assistant last, before new messages")
    if renderer.template is not None:
        whole = str(so_far[-1]["content"])
        turn = Utterance(whole, whole, end=_first_end(renderer) if ended else "")
        return _continue_by_template(so_far, new, renderer.template, tokenizer, turn=turn, tools=tools)
    if renderer.cookbook is not None:
        return _continue_by_cookbook(so_far, new, renderer.cookbook, tokenizer, ended=ended, tools=tools)
    end = [] if ended else _ints(list_stops(renderer)[0], tokenizer)
    return [*end, *encode_plain_chat(new, tools, tokenizer)]


def continue_chat(
    before: Messages, turn: Utterance, new: Messages, renderer: Renderer
) -> tuple[list[int], Mapping[str, Any]]:
    """Encode what is put behind a turn of the model, and return that turn as the message by which the chat goes on.

    The whole text is tried as its content; then the answer, with thoughts and calls where the template reads them. Of
    these the first is taken by which the template would write just what stands there. Raises DataError if none does.
    """
    template, refused = renderer.template, list[DataError]()
    if template is None:
        message = {"role": "assistant", "content": turn.whole}
        return build_continuation([*before, message], new, renderer, ended=turn.ended), message
    for message in turn.messages(template.reads):
        try:
            return _continue_by_template([*before, message], new, template, renderer.tokenizer, turn=turn), message
        except DataError as error:
            refused.append(error)
    raise refused[0]


def refuse_one_turn_only(prompt: Messages, answer: Messages, renderer: Renderer) -> None:
    """Raise DataError where no turn of the model, behind this prompt, could be gone on from with this answer.

    The turns that are tried are as the template itself writes them: with thoughts, where the model is asked for them.
    """
    if renderer.template is None:
        turns = [Utterance("b", "b", end=_first_end(renderer))]
    else:
        called = any(message["role"] == "tool" for message in answer)
        turns = list(_stand_ins(prompt, renderer.template, renderer.tokenizer, called=called))
    refused = list[DataError]()
    for turn in turns:
        try:
            continue_chat(prompt, turn, answer, renderer)
        except DataError as error:
            refused.append(error)
        else:
            return
    raise refused[0]


def _stand_ins(prompt: Messages, template: Template, tokenizer: Tokenizer, *, called: bool) -> Iterator[Utterance]:
    """Turns of each kind that the model might write: not those without thoughts where it is asked to think."""
    turns, thinks = list[Utterance](), False
    for message, tools in KINDS:
        if tools and not called:
            continue
        chat = build_chat([*prompt, message], tools, template, tokenizer)
        try:
            begin, mark, end = locate_answer(chat, len(prompt))
        except DataError:
            continue
        text, opened = chat.text(), find_opening(chat.text(len(prompt), prompt=True))
        turn = parse_answer(text[begin:mark], tokenizer, opened=opened, end=text[mark:end])
        thinks = thinks or bool(turn.thoughts)
        turns.append(turn)
    yield from (turn for turn in turns if turn.thoughts or turn.calls or not thinks)


def list_stops(renderer: Renderer) -> tuple[Stop, ...]:
    """List what ends a turn of the model, the renderer's own mark first: tokens, or texts where no token ends it.

    For text, where the environment says what ends an action, those of `plain` are right.
    """
    tokenizer = renderer.tokenizer
    if renderer.cookbook is not None:
        return renderer.cookbook.stops
    eos = () if tokenizer.eos is None else (tokenizer.eos,)
    if renderer.template is None:
        return eos or (TURN_END,)
    marks = _end_marks(renderer.template, tokenizer)
    known = (tokenizer.encode(text) for text in ENDS if text in get_controls(tokenizer))
    tokens = (token for text in known if len(text) == 1 for token in text)
    return tuple(dict.fromkeys((*marks, *eos, *get_ends(tokenizer), *tokens)))


def _end_marks(template: Template, tokenizer: Tokenizer) -> list[Stop]:
    """Read off how the chat template ends a turn of each kind; kinds that it does not take are left out.

    Raises DataError where it takes none.
    """
    marks, refused = list[Stop](), list[DataError]()
    for message, tools in KINDS:
        chat = build_chat([ASKED, message], tools, template, tokenizer)
        try:
            _, mark, end = locate_answer(chat, 1)
        except DataError as error:
            refused.append(error)
            continue
        text = chat.text()[mark:end]
        tokens = tokenizer.encode(text)
        if len(tokens) == 1 or not marks:  # a text is the first mark, or none: behind another it may be part of a call
            marks.append(tokens[0] if len(tokens) == 1 else text)
    if not marks:
        raise refused[0]
    return marks


def _continue_by_template(
    so_far: Messages, new: Messages, template: Template, tokenizer: Tokenizer, *, turn: Utterance, tools: Tools = ()
) -> list[int]:
    last = len(so_far) - 1
    chat = build_chat([*so_far, *new], tools, template, tokenizer)
    begin, mark, end = locate_answer(chat, last)
    through, after = chat.text(last + 1), chat.text(prompt=True)
    own, ended = turn.whole, through[mark:end]
    if through[begin:mark].strip() != own.strip() or not after.startswith(through[:end]):
        written = after[begin : begin + len(own) + 24]
        raise DataError(
            f"the chat template changes the model's own words, {own[:48]!r}, to {written[:72]!r} when messages follow; "
            "use a renderer that keeps them (`plain`, or a cookbook:NAME that preserves thinking)"
        )
    if turn.ended and turn.end != ended:
        raise DataError(
            f"the model ended its turn with {turn.end!r}, but the chat template writes {ended!r} when messages follow; "
            "use `renderer: plain`, or a cookbook:NAME"
        )
    tokens = tokenizer.encode(after[end:])
    if [*tokenizer.encode(after[:end]), *tokens] != tokenizer.encode(after):
        raise DataError(f"the tokenizer merges the end of a turn with what follows, {after[mark : end + 12]!r}")
    return tokens if turn.ended else [*tokenizer.encode(ended), *tokens]


def _continue_by_cookbook(
    so_far: Messages, new: Messages, cookbook: Cookbook, tokenizer: Tokenizer, *, ended: bool, tools: Tools
) -> list[int]:
    through = cookbook.render_weighted(so_far, tools, [len(so_far) - 1]).tokens
    after = cookbook.prompt([*so_far, *new], tools)
    if not cookbook.extends or after[: len(through)] != through:
        problem = "the renderer of the cookbook changes the model's own words when messages follow"
        raise DataError(f"{problem}; use one that preserves thinking, or `plain`")
    end = [] if ended else _ints(cookbook.stops[0], tokenizer)
    return [*end, *after[len(through) :]]


def _first_end(renderer: Renderer) -> str:
    stop = list_stops(renderer)[0]
    return stop if isinstance(stop, str) else renderer.tokenizer.decode([stop])


def _ints(stop: Stop, tokenizer: Tokenizer) -> Sequence[int]:
    return tokenizer.encode(stop) if isinstance(stop, str) else [stop]
