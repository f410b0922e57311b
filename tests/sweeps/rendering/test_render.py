"""The loss mask is exact: what bears loss is the text that the format says, to the token and to the byte."""

import numpy as np
import pytest

from sweeps.errors import DataError
from sweeps.records import Format, Records, Row
from sweeps.rendering.render import Example, LossMask, render, render_all
from sweeps.rendering.tokenizer import OfflineTokenizer, Tokenizer
from tests.sweeps.parsed import measure_lengths
from tests.sweeps.rendering.byte_tokenizer import Bytes

OFFLINE = OfflineTokenizer()
CHAT: Row = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Bye"},
        {"role": "assistant", "content": "So long", "tool_calls": None},
    ]
}
ROWS: dict[Format, Row] = {
    "text": {"text": "some text"},
    "completion": {"prompt": "2+2=", "completion": "4"},
    "chat": CHAT,
}


def scored(example: Example, tokenizer: Tokenizer) -> list[str | int]:
    """The targets that bear loss, as characters; special tokens by number."""
    targets = example.tokens[1:][example.weights > 0].tolist()
    return [tokenizer.decode([token]) or token for token in targets]


def test_text_bears_loss_on_every_character() -> None:
    example = render({"text": "abc"}, "text", OFFLINE, loss_mask="all")
    assert example.tokens[0] == OFFLINE.bos
    assert scored(example, OFFLINE) == ["a", "b", "c"]
    assert example.text_bytes == 3


def test_without_a_begin_token_the_first_token_is_only_context() -> None:
    example = render({"text": "abc"}, "text", Bytes(), loss_mask="all")
    assert scored(example, Bytes()) == ["b", "c"]
    assert example.text_bytes == 2


def test_a_completion_bears_loss_and_so_does_its_end() -> None:
    example = render(ROWS["completion"], "completion", OFFLINE, loss_mask="completion")
    assert OFFLINE.decode(example.tokens.tolist()) == "2+2=4"
    assert scored(example, OFFLINE) == ["4", OFFLINE.eos]
    assert example.text_bytes == 1


def test_every_assistant_turn_and_its_end_bear_loss() -> None:
    example = render(CHAT, "chat", OFFLINE, loss_mask="completion")
    assert scored(example, OFFLINE) == [*"Hello", OFFLINE.eos, *"So long", OFFLINE.eos]
    assert OFFLINE.decode(example.tokens.tolist()) == (
        "System: Be brief.\n\nUser: Hi\n\nAssistant: HelloUser: Bye\n\nAssistant: So long"
    )


def test_where_there_is_no_end_token_two_line_breaks_end_a_turn() -> None:
    example = render(CHAT, "chat", Bytes(), loss_mask="completion")
    assert "".join(map(str, scored(example, Bytes()))) == "Hello\n\nSo long\n\n"
    assert example.text_bytes == len("Hello\n\nSo long\n\n")


@pytest.mark.parametrize("tokenizer", [OFFLINE, Bytes()], ids=lambda tokenizer: tokenizer.name)
@pytest.mark.parametrize("form", ROWS)
def test_lengths_are_the_lengths_of_what_is_rendered(form: Format, tokenizer: Tokenizer) -> None:
    records = Records(form, (ROWS[form], ROWS[form]))
    examples = render_all(records, tokenizer, loss_mask="all")
    np.testing.assert_array_equal(measure_lengths(records, tokenizer), [len(example) for example in examples])
    for example in examples:
        assert len(example.tokens) == len(example.weights) + 1
        assert example.tokens.dtype.name == "int32"
        assert example.weights.all()  # "all" is every target


def test_the_answer_of_a_tool_is_read_and_not_learnt() -> None:
    call, result = {"role": "assistant", "content": "find A17"}, {"role": "tool", "content": "left May 3"}
    example = render({"messages": [call, result, call]}, "chat", OFFLINE, loss_mask="completion")
    assert OFFLINE.decode(example.tokens.tolist()) == "Assistant: find A17Tool: left May 3\n\nAssistant: find A17"
    assert scored(example, OFFLINE) == [*"find A17", OFFLINE.eos] * 2


def test_bytes_are_counted_in_utf8() -> None:
    assert render({"text": "é€"}, "text", OFFLINE, loss_mask="all").text_bytes == 5


@pytest.mark.parametrize(
    ("form", "row", "loss_mask", "says"),
    [
        ("text", {"text": "a"}, "completion", "loss_mask"),
        ("chat", {"messages": [{"role": "user", "content": "a"}]}, "completion", "answer of the assistant"),
        ("chat", {"messages": [{"role": "critic", "content": "a"}]}, "all", "role.*'critic'"),
        ("chat", {"messages": [{"role": "tool", "content": "a", "tool_call_id": "1"}]}, "all", "tool_call_id"),
        ("chat", {"messages": [{"role": "user", "content": ["a"]}]}, "all", "part 1: .*JSON str"),
        ("chat", {"messages": [{"role": "user", "content": None}]}, "all", "without content"),
        (
            "chat",
            {"messages": [{"role": "assistant", "content": "", "tool_calls": [1]}]},
            "all",
            "tool_calls",
        ),
        ("chat", {"messages": [], "tools": [1]}, "all", "tools: "),
        ("preference", {"prompt": "a", "chosen": ["b"], "rejected": "c"}, "all", "chosen: .*text"),
    ],
)
def test_what_cannot_be_rendered_exactly_is_refused_by_row(
    form: Format, row: Row, loss_mask: LossMask, says: str
) -> None:
    with pytest.raises(DataError, match=rf"^row 1: .*{says}.*\(the row: "):
        render_all(Records(form, (row,)), OFFLINE, loss_mask=loss_mask)


def test_an_unknown_renderer_is_refused_with_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"plain, chat_template, .*fancy"):
        measure_lengths(Records("text", ({"text": "a"},)), OFFLINE, "fancy")
