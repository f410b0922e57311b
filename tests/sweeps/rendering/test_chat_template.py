"""By every style of chat template the loss falls on what the assistant writes, to the token, or it is refused."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.errors import DataError
from sweeps.records import Records, Row
from sweeps.rendering.render import Example, render, render_all
from sweeps.rendering.renderers import choose_renderer
from tests.sweeps.parsed import measure_lengths
from tests.sweeps.templates import CHATML, ENDS, STYLES, THINKING, answers, chat, speaking

HONEST = [name for name in STYLES if name != "forgetful"]  # they write an answer the same wherever it stands
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
CALL = {"type": "function", "function": {"name": "look_up", "arguments": {"word": 'a "b"', "n": 2}}}

word = st.text(alphabet="ab 12.\n\t'{}é€<>", max_size=12)
tidy = word.map(str.strip).filter(bool)


def conversations(answers: st.SearchStrategy[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """User and assistant in turns, the assistant last; now and then with a system's word before."""
    turns = st.lists(st.tuples(tidy, answers), min_size=1, max_size=4)
    joined = turns.map(lambda pairs: [text for pair in pairs for text in pair])
    return st.builds(lambda texts, system: chat(*texts, system=system), joined, st.none() | tidy)


def rendered(messages: list[dict[str, Any]], style: str | None, **beside: Any) -> Example:
    tokenizer = speaking(style)
    renderer = choose_renderer(None, tokenizer, messages=True)
    return render({"messages": messages, **beside}, "chat", tokenizer, renderer=renderer, loss_mask="completion")


def learnt(example: Example, style: str) -> str:
    """The text of the targets that bear loss, control tokens spelled out."""
    return speaking(style).decode(example.tokens[1:][example.weights > 0].tolist())


@pytest.mark.parametrize("style", HONEST)
@settings(max_examples=40, deadline=None)
@given(conversations(tidy))
def test_what_is_learnt_is_what_the_assistant_wrote_and_its_ends(style: str, messages: list[dict[str, Any]]) -> None:
    example = rendered(messages, style)
    assert learnt(example, style) == "".join(f"{text}{ENDS[style]}" for text in answers(messages))
    assert example.text_bytes == sum(len(text.encode()) for text in answers(messages))
    assert set(example.weights.tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=40, deadline=None)
@given(conversations(word | st.just("<think>a</think>b")))
def test_the_tokens_are_those_of_transformers_or_the_chat_is_refused(
    style: str, messages: list[dict[str, Any]]
) -> None:
    tokenizer = speaking(style)
    theirs = tokenizer._tokenizer.apply_chat_template(messages, return_dict=False)
    try:
        example = rendered(messages, style)
    except DataError:
        # Only where white space at a border might merge, or thoughts of an earlier answer are left out.
        spaced = any(text != text.strip() or not text for text in answers(messages))
        assert spaced or (style == "forgetful" and any("</think>" in text for text in answers(messages)[:-1]))
    else:
        assert example.tokens.tolist() == theirs
        ends = tokenizer.encode(ENDS[style])[0]
        assert int((example.tokens[1:][example.weights > 0] == ends).sum()) == len(answers(messages))


@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=40, deadline=None)
@given(conversations(tidy), tidy, tidy)
def test_a_further_turn_changes_no_token_before_it_or_is_refused(
    style: str, messages: list[dict[str, Any]], asked: str, answer: str
) -> None:
    short = rendered(messages, style)
    longer = [*messages, {"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
    try:
        long = rendered(longer, style)
    except DataError:
        assert style == "forgetful"
        return
    written = int(np.flatnonzero(short.weights)[-1]) + 2  # through the end of the last answer
    assert long.tokens[:written].tolist() == short.tokens[:written].tolist()
    assert long.weights[: written - 1].tolist() == short.weights[: written - 1].tolist()


@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=40, deadline=None)
@given(messages=conversations(tidy))
def test_every_length_is_the_length_of_what_is_rendered(style: str, messages: list[dict[str, Any]]) -> None:
    tokenizer = speaking(style)
    records = Records("chat", ({"messages": messages}, {"messages": messages[-2:]}))
    renderer = choose_renderer(None, tokenizer, messages=True)
    try:
        counted = measure_lengths(records, tokenizer, renderer)
    except DataError:
        with pytest.raises(DataError):
            render_all(records, tokenizer, renderer=renderer, loss_mask="completion")
    else:
        examples = render_all(records, tokenizer, renderer=renderer, loss_mask="completion")
        assert counted == [len(example) for example in examples]


def test_the_marks_of_a_template_are_those_that_transformers_finds_and_the_end_of_the_turn() -> None:
    messages = chat("hello", "yes no", "12", "34")
    tokenizer = speaking("marked")
    theirs = tokenizer._tokenizer.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    example = rendered(messages, "marked")
    ours = np.concatenate([[0], example.weights])
    more = np.flatnonzero(ours - np.array(theirs["assistant_masks"]))
    assert {tokenizer.decode([token]) for token in example.tokens[more]} == {"<|im_end|>"}
    assert len(more) == 2


def test_marks_and_prefixes_say_the_same() -> None:
    messages = chat("hello", "yes no", "12", "34", system="the")
    marked, prefixed = rendered(messages, "marked"), rendered(messages, "chatml")
    assert marked.tokens.tolist() == prefixed.tokens.tolist()
    assert marked.weights.tolist() == prefixed.weights.tolist()


def test_calls_of_tools_are_learnt_and_their_results_are_not() -> None:
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Which word?"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "content": "42", "name": "look_up"},
        {"role": "assistant", "content": "It is 42."},
    ]
    example = rendered(messages, "tools", tools=[TOOL])
    call = '<call>look_up{"word": "a \\"b\\"", "n": 2}</call>'
    assert learnt(example, "tools") == f"{call}<|im_end|>It is 42.<|im_end|>"
    assert '"name": "look_up"' in speaking("tools").decode(example.tokens.tolist())
    spelled = {**CALL, "function": {"name": "look_up", "arguments": '{"word": "a \\"b\\"", "n": 2}'}}
    messages[2]["tool_calls"] = [spelled]  # the arguments as a text, as an API gives them
    assert rendered(messages, "tools", tools=[TOOL]).tokens.tolist() == example.tokens.tolist()


def test_a_template_may_take_the_arguments_of_a_call_as_a_text_only() -> None:
    template = STYLES["tools"].replace("call.function.arguments | tojson", "call.function.arguments + ''")
    template = template.replace("~ call.function.arguments", "+ call.function.arguments")
    messages = [*chat("a"), {"role": "assistant", "content": None, "tool_calls": [CALL]}]
    assert learnt(rendered(messages, template), template) == (
        '<call>look_up{"word": "a \\"b\\"", "n": 2}</call><|im_end|>'
    )


def test_thoughts_that_are_history_are_refused_unless_the_last_answer_alone_is_learnt() -> None:
    messages = chat("hello", "<think>a</think>yes", "12", "<think>b</think>no")
    with pytest.raises(DataError, match=r"differently when messages follow: .*message 2.*weight: 0"):
        rendered(messages, "forgetful")
    messages[1]["weight"] = 0
    assert learnt(rendered(messages, "forgetful"), "forgetful") == "<think>b</think>no<|im_end|>"
    assert learnt(rendered(messages[:1] + messages[3:], "forgetful"), "forgetful") == "<think>b</think>no<|im_end|>"


@pytest.mark.parametrize("style", [*HONEST, None])
def test_a_message_of_weight_0_is_read_and_not_learnt(style: str | None) -> None:
    messages = chat("hello", "yes", "12", "no")
    whole = rendered(messages, style)
    messages[1]["weight"] = 0
    part = rendered(messages, style)
    assert part.tokens.tolist() == whole.tokens.tolist()
    assert part.text_bytes == len("no")
    assert (part.weights <= whole.weights).all()


SILENT = "{% for message in messages %}{{ message.content }}{% endfor %}"
HEADSTRONG = CHATML.rpartition("{%- if add_generation_prompt")[0]
NO_SYSTEM = CHATML.replace("(message.content or '')", "(message.content if message.role != 'system' else '')")
TWICE = STYLES["marked"].replace("{{ message.content }}", "{{ message.content }}{% endgeneration %}{% generation %}")
STERN = "{%- if messages|length > 2 %}{{ raise_exception('too long') }}{% endif %}" + CHATML


@pytest.mark.parametrize(
    ("template", "row", "says"),
    [
        (SILENT, {"messages": chat("a", "b")}, "no end after the answer of message 2"),
        (HEADSTRONG, {"messages": chat("a", "b")}, r"writes '<|im_start|>assistant\n' before an answer"),
        (NO_SYSTEM, {"messages": chat("a", "b", system="Be brief.")}, "leaves out 'Be brief.', said by system"),
        (CHATML, {"messages": chat("a", "b"), "tools": [TOOL]}, "leaves out the tool look_up"),
        (CHATML, {"messages": chat("a", "\nb")}, r"merges across '|>assistant\n' | '\nb<|im_end|>'"),
        (TWICE, {"messages": chat("a", "b")}, "2 parts marked by the chat template"),
        (STERN, {"messages": chat("a", "b", "a", "b")}, "too long"),
        (CHATML, {"messages": chat("a")}, "trained on"),
        (CHATML, {"messages": [{"role": "user", "content": "a", "weight": 1}]}, "weight: got 1"),
        (
            CHATML,
            {"messages": [*chat("a"), {"role": "assistant", "content": "a", "weight": 2}]},
            "weight: expected true or 1 (trained on), false or 0 (read only), or no such key, got 2",
        ),
    ],
)
def test_what_cannot_be_masked_exactly_is_refused_by_row(template: str, row: Row, says: str) -> None:
    tokenizer = speaking(template)
    renderer = choose_renderer(None, tokenizer, messages=True)
    with pytest.raises(DataError, match=rf"^row 1: .*{re.escape(says)}.*\(the row: "):
        render_all(Records("chat", (row,)), tokenizer, renderer=renderer, loss_mask="completion")


def test_text_and_completions_are_read_as_they_are_whatever_the_renderer() -> None:
    tokenizer = speaking("chatml")
    renderer = choose_renderer("chat_template", tokenizer, messages=True)
    row = {"prompt": "12", "completion": "34"}
    theirs = render(row, "completion", tokenizer, renderer=renderer, loss_mask="completion")
    ours = render(row, "completion", tokenizer, loss_mask="completion")
    assert theirs.tokens.tolist() == ours.tokens.tolist() == [tokenizer.bos, *tokenizer.encode("1234"), tokenizer.eos]
    assert ours.text_bytes == 2


def test_bytes_of_everything_are_without_control_tokens() -> None:
    """ "all" is every target: the first token, a control token here, takes no byte away."""
    tokenizer = speaking("headers")
    renderer = choose_renderer(None, tokenizer, messages=True)
    row = {"messages": chat("é", "b")}
    example = render(row, "chat", tokenizer, renderer=renderer, loss_mask="all")
    assert example.text_bytes == len("user\n\néassistant\n\nb".encode())
    assert example.weights.all()


def test_of_a_model_that_thinks_an_answer_without_a_thought_needs_the_prompt_without_one() -> None:
    tokenizer, row = speaking(THINKING), {"messages": chat("hello", "yes")}
    by_default = choose_renderer(None, tokenizer, messages=True)
    with pytest.raises(DataError, match=r"merges across .*chat_template:enable_thinking=false"):
        render(row, "chat", tokenizer, renderer=by_default, loss_mask="completion")
    renderer = choose_renderer("chat_template:enable_thinking=false", tokenizer, messages=True)
    assert renderer == by_default.replace("chat_template:", "chat_template:enable_thinking=false:")
    example = render(row, "chat", tokenizer, renderer=renderer, loss_mask="completion")
    assert tokenizer.decode(example.tokens[1:][example.weights > 0].tolist()) == "yes<|im_end|>"
    thoughtful = {"messages": [*chat("hello"), {"role": "assistant", "content": "yes", "reasoning_content": "a"}]}
    example = render(thoughtful, "chat", tokenizer, renderer=by_default, loss_mask="completion")
    assert tokenizer.decode(example.tokens[1:][example.weights > 0].tolist()) == "a\n</think>\n\nyes<|im_end|>"
    assert example.text_bytes == len("a\n</think>\n\nyes")
