"""A message says by its own keys whether it is learnt; its content is text; what nobody reads is refused by name."""

from typing import Any

import pytest

from sweeps.errors import DataError
from sweeps.records import Records
from sweeps.rendering.chats import FLAGS, list_learnt, read_chat
from sweeps.rendering.render import render
from sweeps.rendering.renderers import choose_renderer
from sweeps.rendering.tokenizer import OfflineTokenizer
from tests.sweeps.parsed import measure_lengths
from tests.sweeps.templates import chat, speaking

OFFLINE = OfflineTokenizer()
VOICES = [(OFFLINE, None), (speaking("chatml"), "plain"), (speaking("chatml"), None), (speaking("marked"), None)]


def said(messages: list[dict[str, Any]], voice: tuple[Any, str | None]) -> str:
    """What is learnt, by a renderer."""
    tokenizer, asked = voice
    renderer = choose_renderer(asked, tokenizer, messages=True)
    example = render({"messages": messages}, "chat", tokenizer, renderer=renderer, loss_mask="completion")
    text = tokenizer.decode(example.tokens[1:][example.weights > 0].tolist())
    return str(text.replace("<|im_end|>", "").replace("<|eos|>", ""))


@pytest.mark.parametrize("voice", VOICES, ids=["offline", "plain", "template", "marked"])
@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize(("no", "yes"), [(False, True), (0, 1), (0.0, 1.0)])
def test_a_flag_by_any_name_says_what_is_learnt(
    voice: tuple[Any, str | None], flag: str, no: float, yes: float
) -> None:
    messages = chat("hello", "yes", "12", "34")
    messages[1][flag] = no
    assert said(messages, voice) == "34"
    messages[1][flag], messages[3][flag] = yes, no
    messages[0][flag] = no  # tinker-cookbook wants one on every message
    assert said(messages, voice) == "yes"


@pytest.mark.parametrize("flag", FLAGS)
@pytest.mark.parametrize("value", [0.5, "false", "true", 2, -1, None, [0, 1], {}])
def test_another_value_is_refused_with_the_key_and_what_is_right(flag: str, value: object) -> None:
    messages = chat("hello", "yes")
    messages[1][flag] = value
    with pytest.raises(DataError, match=rf"message 2 \(assistant\): {flag}: .*true or 1"):
        read_chat({"messages": messages})


def test_flags_that_contradict_each_other_and_flags_of_others_are_refused() -> None:
    messages = chat("hello", "yes")
    messages[1].update(weight=0, trainable=True)
    with pytest.raises(DataError, match="weight: 0, trainable: True"):
        list_learnt(messages)
    messages = chat("hello", "yes")
    messages[0]["train"] = True
    with pytest.raises(DataError, match=r"message 1 \(user\): train: .*True"):
        list_learnt(messages)
    messages[0]["train"] = None  # as tables have it where nothing was said
    assert list_learnt(messages) == [1]


@pytest.mark.parametrize("voice", VOICES, ids=["offline", "plain", "template", "marked"])
def test_parts_of_text_are_the_text(voice: tuple[Any, str | None]) -> None:
    messages = chat("hello", "yes no")
    parted = [
        {"role": "user", "content": [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "yes no", "cache_control": None}]},
    ]
    assert said(parted, voice) == said(messages, voice) == "yes no"
    tokenizer, asked = voice
    renderer = choose_renderer(asked, tokenizer, messages=True)
    both = Records("chat", ({"messages": messages}, {"messages": parted}))
    lengths, other = measure_lengths(both, tokenizer, renderer)
    assert lengths == other


PARTS = [
    ({"type": "image_url", "image_url": {"url": "a.png"}}, "got type 'image_url'"),
    ({"type": "image"}, "got type 'image'"),
    ({"type": "input_audio", "input_audio": {"data": "…"}}, "got type 'input_audio'"),
    ({"type": "output_text", "text": "a"}, "got type 'output_text'"),
    ({"type": "thinking", "thinking": "a"}, "got type 'thinking'"),
    ({"type": "text", "value": "a"}, "of type 'text' with value and no text in `text`"),
    ({"type": "text", "text": None}, "of type 'text' with text and no text in `text`"),
    ({"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, "with cache_control beside its text"),
    ({"type": "text"}, "of type 'text' with nothing and no text"),
    ("a", "a JSON str"),
    (None, "a JSON NoneType"),
]


@pytest.mark.parametrize("voice", VOICES, ids=["offline", "plain", "template", "marked"])
@pytest.mark.parametrize(("part", "says"), PARTS, ids=str)
@pytest.mark.parametrize("place", [0, 1])
def test_another_part_is_refused_by_name(voice: tuple[Any, str | None], part: Any, says: str, place: int) -> None:
    messages = chat("hello", "yes")
    messages[place]["content"] = [{"type": "text", "text": "12"}, part]
    with pytest.raises(DataError, match=rf"message {place + 1} .*: part 2: .*{says}"):
        said(messages, voice)


@pytest.mark.parametrize("voice", VOICES, ids=["offline", "plain", "template", "marked"])
@pytest.mark.parametrize("nothing", ["", "  ", "\n", "\t\n ", []])
def test_an_answer_with_nothing_in_it_is_refused_where_it_would_be_learnt(
    voice: tuple[Any, str | None], nothing: Any
) -> None:
    messages = chat("hello", "yes", "12", "no")
    messages[1]["content"] = nothing
    with pytest.raises(DataError, match=r"message 2 \(assistant\): .*empty"):
        said(messages, voice)
    if nothing in ("", []):
        messages[1]["weight"] = 0
        assert said(messages, voice) == "no"


@pytest.mark.parametrize("key", ["timestamp", "id", "metadata", "function_call", "refusal", "annotations"])
def test_a_key_that_nobody_reads_is_named_unless_nothing_stands_there(key: str) -> None:
    messages = chat("hello", "yes")
    for place in (0, 1):
        messages[place][key] = {"some": "thing"}
        with pytest.raises(DataError, match=rf"message {place + 1}.*{key}"):
            said(messages, VOICES[2])
        nothing: tuple[Any, ...] = (None, "", [], {})
        for empty in nothing:
            messages[place][key] = empty
            assert said(messages, VOICES[2]) == "yes"


def test_thoughts_have_one_name_and_one_text() -> None:
    messages = [*chat("hello"), {"role": "assistant", "content": "yes", "reasoning": "a", "reasoning_content": "a"}]
    read = read_chat({"messages": messages}, {"thinking"})
    assert read.messages[1] == {"role": "assistant", "content": "yes", "thinking": "a"}, "under the name that is read"
    messages[1]["reasoning"] = "b"
    with pytest.raises(DataError, match="reasoning_content, reasoning"):
        read_chat({"messages": messages}, {"thinking"})
    twice = [*chat("hello"), {"role": "assistant", "content": "<think>a</think>yes", "reasoning": "a"}]
    with pytest.raises(DataError, match=r"reasoning .*</think>"):
        read_chat({"messages": twice}, ())


@pytest.mark.parametrize("voice", VOICES, ids=["offline", "plain", "template", "marked"])
def test_a_row_in_which_nothing_is_learnt_is_refused_when_it_is_counted(voice: tuple[Any, str | None]) -> None:
    tokenizer, asked = voice
    renderer = choose_renderer(asked, tokenizer, messages=True)
    messages = chat("hello", "yes")
    messages[1]["train"] = False
    for mute in (chat("hello"), messages):
        with pytest.raises(DataError, match="trained on"):
            measure_lengths(
                Records("chat", ({"messages": chat("hello", "yes")}, {"messages": mute})), tokenizer, renderer
            )
