"""What a model wrote in its turn, as a person would see it; by texts that each family's own template writes."""

import random
import re
from collections.abc import Mapping
from typing import Any

import pytest

from sweeps.errors import DataError
from sweeps.rendering.answer_text import TOOL, Call, Utterance, find_opening, parse_answer
from sweeps.rendering.chat_template import build_chat
from sweeps.rendering.renderers import choose_renderer, load_renderer
from sweeps.rendering.tokenizer import Tokenizer, get_template
from sweeps.rendering.turns import build_generation_prompt, continue_chat, list_stops
from tests.sweeps.templates import speaking
from tests.tokenizers import FAMILIES, real_tokenizer
from worker.rollouts.transcript import TranscriptReader


class Harmony:
    """Only its control tokens matter here."""

    name, bos, eos = "harmony", None, 3
    controls = frozenset(("<|channel|>", "<|message|>", "<|start|>", "<|end|>", "<|return|>", "<|call|>"))

    def encode(self, text: str) -> list[int]:
        return [*text.encode()]

    def decode(self, tokens: Any) -> str:
        return bytes(tokens).decode()


@pytest.mark.parametrize(
    ("text", "opened", "answer", "thoughts", "closed"),
    [
        ("42", "", "42", "", True),
        (" 42\n", "", " 42\n", "", True),
        ("<think>\nfirst\n</think>\n\n42", "", "42", "first", True),
        ("first\n</think>\n\n42", "<think>", "42", "first", True),
        ("\n</think>\n\n42", "<think>", "42", "", True),
        ("<think>first</think>42", "<think>", "42", "first", True),
        ("first</think>42", "", "42", "first", True),
        ("<think>a</think><think>b</think>42", "", "42", "a\nb", True),
        ("<think>a</think>Write </think> there", "", "Write </think> there", "a", True),
        ("Write <think> and </think> there", "", "Write <think> and </think> there", "", True),
        ("<think>for ever", "", "", "for ever", False),
        ("for ever", "<think>", "", "for ever", False),
        ("<think>a</think><think>b", "", "", "a\nb", False),
        ("[THINK]a[/THINK]42", "", "42", "a", True),
        ("<|START_THINKING|>a<|END_THINKING|><|START_RESPONSE|>42<|END_RESPONSE|>", "", "42", "a", True),
        ("<seed:think>a</seed:think>42", "", "42", "a", True),
        ("◁think▷a◁/think▷42", "", "42", "a", True),
        ("<|channel>thought\na\n<channel|>42", "", "42", "a", True),
    ],
)
def test_thoughts_are_no_answer(text: str, opened: str, answer: str, thoughts: str, closed: bool) -> None:
    turn = parse_answer(text, speaking("chatml"), opened=opened, end="<|im_end|>")
    assert (turn.answer, turn.thoughts, turn.closed, turn.cut) == (answer, thoughts, closed, not closed)
    assert turn.whole == text
    assert parse_answer(text, speaking("chatml"), opened=opened).cut  # nothing ended it


@pytest.mark.parametrize(
    ("text", "answer", "thoughts", "calls", "closed"),
    [
        ("<|channel|>final<|message|>42", "42", "", (), True),
        (
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>42",
            *("42", "a", (), True),
        ),
        ("<|channel|>analysis<|message|>a", "", "a", (), False),
        ("<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>fin", "", "a", (), False),
        ("<|channel|>fin", "", "", (), False),
        (' to=functions.look<|channel|>commentary json<|message|>{"at": 1}', "", "", (("look", '{"at": 1}'),), True),
        (
            '<|channel|>commentary to=functions.look <|constrain|>json<|message|>{"at": 1}',
            *("", "", (("look", '{"at": 1}'),), True),
        ),
        (
            "<|channel|>commentary<|message|>I look.<|end|><|start|>assistant to=look<|channel|>commentary<|message|>x",
            *("", "I look.", (("look", "x"),), True),
        ),
        ("no channel at all", "no channel at all", "", (), True),
        ("no channel at all<|end|>", "no channel at all", "", (), True),
        ("<|channel|>final<|message|>41<|end|><|start|>assistant<|channel|>final<|message|>42", "42", "", (), True),
        ("<|channel|>final<|message|>41<|return|><|start|>assistant<|channel|>final<|message|>42", "42", "", (), True),
        ("<|channel|>final<|message|>41<|channel|>final<|message|>42", "42", "", (), True),
        ("<|channel|>analysis<|channel|>final<|message|>42", "42", "", (), True),
        (
            "<|channel|>final<|message|>42<|start|>user<|message|>6?<|end|><|start|>assistant<|message|>6",
            "42",
            "",
            (),
            True,
        ),
        ("<|channel|>final<|message|>42<|end|>", "42", "", (), True),
        ("<|channel|>final<|message|>42<|end|> or so", "42", "", (), False),
        ("<|channel|>final<|message|>4<|message|>2", "42", "", (), True),
        ("<|channel|>analysis<|message|>a<|end|><|end|>", "", "a", (), False),
        ("<|channel|>final<|message|>", "", "", (), True),
        ("<|channel|>final", "", "", (), False),
    ],
)
def test_what_is_judged_of_channels_is_the_final_one(
    text: str, answer: str, thoughts: str, calls: tuple[Call, ...], closed: bool
) -> None:
    turn = parse_answer(text, Harmony(), end="<|return|>")
    assert (turn.answer, turn.thoughts, turn.calls, turn.closed) == (answer, thoughts, calls, closed)


PIECES: tuple[str, ...] = (
    "<|start|>assistant",
    "<|channel|>",
    "final",
    "analysis",
    " to=look",
    "<|constrain|>json",
    "<|message|>",
)
PIECES += ("42", "<|end|>", "<|call|>", "<|return|>", "<|start|>user", "<|reserved_200013|>")


def test_nothing_that_is_judged_or_acted_holds_a_control_token_whatever_was_written() -> None:
    tokenizer = real_tokenizer("gpt-oss")
    reading = TranscriptReader(load_renderer(choose_renderer("chat_template", tokenizer, messages=True), tokenizer))
    chance = random.Random(7)
    for _ in range(2000):
        text = "".join(chance.choices(PIECES, k=chance.randrange(1, 12)))
        turn = reading.read_turn(tokenizer.encode(text), messages=True)
        for text_of_turn in (turn.answer, turn.action, turn.thoughts):
            assert not any(control in text_of_turn for control in tokenizer.controls), text


def test_an_environment_is_told_calls_in_one_form() -> None:
    call = ' to=functions.look<|channel|>commentary json<|message|>{"at": "Köln"}'
    assert (
        parse_answer(call, Harmony()).action
        == '<tool_call>\n{"name": "look", "arguments": {"at": "Köln"}}\n</tool_call>'
    )
    assert parse_answer("<|channel|>final<|message|>42", Harmony()).action == "42"
    assert parse_answer(call.replace("}", ""), Harmony()).calls == (("look", '{"at": "Köln"'),)


THINKING = ("qwen3", "qwen3.5", "qwen3.6", "qwen3.8", "gpt-oss", "nemotron-3-nano", "nemotron-3-super")
ENDS: Mapping[str, tuple[str, ...]] = {
    "qwen": ("<|im_end|>", "<|endoftext|>"),
    "llama": ("<|eot_id|>", "<|eom_id|>", "<|end_of_text|>"),
    "gpt": ("<|return|>", "<|call|>"),
    "deepseek": ("<｜end▁of▁sentence｜>",),
    "nemotron": ("<|im_end|>",),
    "gemma": ("<end_of_turn>",),
}
SPOKEN = [name for name, family in FAMILIES.items() if family.code is None]
WRITTEN: Mapping[str, Mapping[str, Any]] = {
    "told": {"content": "It is 42."},
    "thought": {"content": "It is 42.", "reasoning_content": "six times", "thinking": "six times"},
    "called": {"content": "", "tool_calls": [{"type": "function", "id": "abcdefghi", "function": TOOL["function"]}]},
}


def written(tokenizer: Tokenizer, kind: str) -> tuple[str, list[int]] | None:
    """What the template of a family writes of a turn behind its prompt; None where it does not write such a turn so."""
    template = get_template(tokenizer)
    assert template is not None
    function = {"name": "look", "arguments": {"at": "Rome"}}
    message = {**WRITTEN[kind], "role": "assistant"}
    if kind == "thought":
        key = next((key for key in ("reasoning_content", "thinking") if key in template.reads), "")
        message = {"role": "assistant", "content": message["content"], key: "six times"}
    if kind == "called":
        message["tool_calls"] = [{"type": "function", "id": "abcdefghi", "function": function}]
    chat = build_chat(
        [{"role": "user", "content": "6·7?"}, message], [TOOL] if kind == "called" else (), template, tokenizer
    )
    try:
        prompt, whole = chat.text(1, prompt=True), chat.text()
    except DataError:
        return None
    if not whole.startswith(prompt) or any(
        word not in whole for word in {"thought": ["six times"], "called": ["Rome"]}.get(kind, [])
    ):
        return None
    return find_opening(prompt), tokenizer.encode(whole[len(prompt) :].rstrip())


@pytest.mark.parametrize("kind", WRITTEN)
@pytest.mark.parametrize("family", SPOKEN)
def test_what_a_template_writes_is_heard_as_it_was_meant(family: str, kind: str) -> None:
    tokenizer = real_tokenizer(family)
    reading = TranscriptReader(load_renderer(choose_renderer("chat_template", tokenizer, messages=True), tokenizer))
    stops = reading.list_stops((), messages=True)
    ends = {tokenizer.decode([stop]) if isinstance(stop, int) else stop for stop in stops}
    known = next(known for name, known in ENDS.items() if family.startswith(name))
    assert ends >= tokenizer.controls & {*known} != set()  # the vocabulary that stands for Llama's has no <|eom_id|>
    case = written(tokenizer, kind)
    if case is None:
        assert kind != "told" or family.startswith("nemotron")  # which opens a thought, and then writes none
        assert kind != "thought" or family not in THINKING
        return
    _, tokens = case
    stop = next(at for at, token in enumerate(tokens) if token in reading.list_stops((), messages=True))
    assert stop == len(tokens) - 1  # the service stops at the end of the turn, and not before
    turn = reading.read_turn(tokens, messages=True)
    assert not turn.cut
    if kind == "called":
        assert "look" in turn.action
        assert "Rome" in turn.action
        assert "<|" not in turn.action
    else:
        assert turn.action == turn.answer == "It is 42."
        assert turn.thoughts == ("six times" if kind == "thought" else "")
    assert reading.read_turn(tokens[:-3], messages=True).cut


@pytest.mark.parametrize("family", ["gpt-oss", "qwen3.8", "qwen3-2507", "llama-3.1"])
def test_a_chat_goes_on_from_the_tokens_that_stand_there(family: str) -> None:
    """With thoughts before a call, where the model has them: they go where the family wants them."""
    tokenizer = real_tokenizer(family)
    renderer = choose_renderer("chat_template", tokenizer, messages=True)
    answer = {
        "gpt-oss": "<|channel|>analysis<|message|>I look.<|end|><|start|>assistant to=functions.look"
        '<|channel|>commentary json<|message|>{"at": "Rome"}<|call|>',
        "qwen3.8": "I look.\n</think>\n\nlook at Rome<|im_end|>",
        "qwen3-2507": "look at Rome<|im_end|>",
        "llama-3.1": "look at Rome<|eot_id|>",
    }[family]
    before = [{"role": "user", "content": "What is there?"}]
    new = [{"role": "tool", "content": '{"sun": 1}'}]
    reading = TranscriptReader(load_renderer(renderer, tokenizer))
    turn = reading.read_turn(tokenizer.encode(answer), messages=True)
    tokens, message = continue_chat(before, turn, new, load_renderer(renderer, tokenizer))
    whole = [*build_generation_prompt(before, load_renderer(renderer, tokenizer)), *tokenizer.encode(answer), *tokens]
    assert whole == build_generation_prompt([*before, message, *new], load_renderer(renderer, tokenizer))


def test_a_turn_ended_otherwise_than_the_template_ends_it_is_not_gone_on_from() -> None:
    tokenizer = speaking("headers")
    renderer = load_renderer(choose_renderer(None, tokenizer, messages=True), tokenizer)
    before, new = [{"role": "user", "content": "a"}], [{"role": "user", "content": "c"}]
    end = tokenizer.decode([stop for stop in list_stops(renderer)[:1] if isinstance(stop, int)])
    assert continue_chat(before, Utterance("b", "b", end=end), new, renderer)
    with pytest.raises(DataError, match="ended its turn"):
        continue_chat(before, Utterance("b", "b", end="<|other|>"), new, renderer)


@pytest.mark.parametrize("written", ["<|im_middle|>", "<｜User｜>", "<|reserved_special_token_9|>"])
def test_a_control_token_that_is_cut_into_pieces_says_that_the_tokenizer_is_another_ones(written: str) -> None:
    template = f"{written}{{% for each in messages %}}{{{{ each.content }}}}<|im_end|>{{% endfor %}}"
    with pytest.raises(DataError, match=re.escape(written)):
        choose_renderer("chat_template", speaking(template), messages=True)
    assert choose_renderer("chat_template", speaking(template.replace(written, "")), messages=True)
