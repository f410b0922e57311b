"""`turns: each`: every answer of a chat is learnt behind what was said before it, as the model is asked for it."""

from typing import Any

import numpy as np
import pytest

from scheduler.plugins.tokenizers import PretrainedTokenizer
from sweeps import parse
from sweeps.errors import DataError
from sweeps.planning.plan import plan
from sweeps.records import Dataset, Records, Row
from sweeps.rendering.render import measure_inputs, render, render_all, render_rows
from sweeps.rendering.renderers import choose_renderer
from sweeps.spec.sections import DataSpec
from sweeps.stage import Plan
from tests.sweeps.questions import HEAD, prices
from tests.sweeps.templates import STYLES, THINKING, chat, speaking
from tests.wording import lacks


def forgetful() -> PretrainedTokenizer:
    """Its template writes earlier answers without the thoughts that they had."""
    return speaking("forgetful")


def choose_template() -> str:
    """How chats are rendered for it."""
    return choose_renderer(None, forgetful(), messages=True)


def thoughtful(*texts: str) -> list[dict[str, Any]]:
    """Each answer has a thought before it."""
    return chat(*(text if at % 2 == 0 else f"<think>12</think>{text}" for at, text in enumerate(texts)))


def learnt(row: Row, renderer: str = "") -> list[str]:
    examples = render_all(
        Records("chat", (row,)), forgetful(), renderer=renderer or choose_template(), loss_mask="each"
    )
    return [forgetful().decode(example.tokens[1:][example.weights > 0].tolist()) for example in examples]


def test_each_answer_is_learnt_with_its_thought_and_reads_the_history_without() -> None:
    row = {"messages": thoughtful("hello", "yes", "the", "no", "a", "tool")}
    with pytest.raises(DataError, match="`turns: each`"):
        render(row, "chat", forgetful(), renderer=choose_template(), loss_mask="completion")
    examples = render_all(Records("chat", (row,)), forgetful(), renderer=choose_template(), loss_mask="each")
    assert learnt(row) == [f"<think>12</think>{answer}<|im_end|>" for answer in ("yes", "no", "tool")]
    for place, example in zip((2, 4, 6), examples, strict=True):
        theirs = forgetful()._tokenizer.apply_chat_template(row["messages"][:place], return_dict=False)
        assert example.tokens.tolist() == theirs, "as the template writes the chat at that moment"
        before = forgetful()._tokenizer.apply_chat_template(
            row["messages"][: place - 1], add_generation_prompt=True, return_dict=False
        )
        assert int(np.flatnonzero(example.weights)[0]) + 1 == len(before), "learnt behind what it is asked with"


@pytest.mark.parametrize("style", [*STYLES, THINKING])
def test_it_is_the_chat_through_each_answer_with_the_ones_before_it_only_read(style: str) -> None:
    tokenizer = speaking(style)
    renderer = choose_renderer(
        "chat_template:enable_thinking=false" if style == THINKING else None, tokenizer, messages=True
    )
    row = {"messages": chat("hello", "yes", "12", "34")}
    cut = [
        {"messages": row["messages"][:2]},
        {"messages": [row["messages"][0], {**row["messages"][1], "weight": 0}, *row["messages"][2:]]},
    ]
    examples = render_all(Records("chat", (row,)), tokenizer, renderer=renderer, loss_mask="each")
    wanted = render_all(Records("chat", tuple(cut)), tokenizer, renderer=renderer, loss_mask="completion")
    assert [example.tokens.tolist() for example in examples] == [example.tokens.tolist() for example in wanted]
    assert [example.weights.tolist() for example in examples] == [example.weights.tolist() for example in wanted]
    counted = measure_inputs(Records("chat", (row,)), tokenizer, renderer, loss_mask="each")
    assert counted == [[len(example) for example in examples]]


def test_what_is_not_to_be_learnt_makes_no_example() -> None:
    messages = thoughtful("hello", "yes", "the", "no", "a", "tool")
    messages[1]["weight"] = 0
    messages[3]["trainable"] = False
    assert learnt({"messages": messages}) == ["<think>12</think>tool<|im_end|>"]
    messages[5]["train"] = 0
    with pytest.raises(DataError, match="trained on"):
        learnt({"messages": messages})


def test_by_a_renderer_that_changes_nothing_the_same_is_learnt_together_and_each() -> None:
    row = {"messages": chat("hello", "yes", "12", "34", system="the")}
    (whole,) = render_all(Records("chat", (row,)), forgetful(), loss_mask="completion")
    rows = render_rows(Records("chat", (row,)), forgetful(), loss_mask="each")
    assert sum(float(example.weights.sum()) for example in rows[0]) == whole.weights.sum()
    assert sum(example.text_bytes for example in rows[0]) == whole.text_bytes
    assert rows[0][-1].tokens.tolist() == whole.tokens.tolist()


def planned(*overrides: str) -> Plan:
    def load(name: str, spec: DataSpec) -> Dataset:
        def records(word: str, count: int) -> Records:
            return Records(
                "chat", tuple({"messages": thoughtful(f"{word} {at}", "yes", "12", "no")} for at in range(count))
            )

        return Dataset(name, spec.source, records("hello", 40), records("a", 10), None, ())

    return plan(parse(HEAD, overrides=overrides), load=load, tokenizers=lambda _: forgetful(), prices=prices())


def test_the_plan_counts_rows_and_says_what_it_costs() -> None:
    with pytest.raises(DataError, match="turns: each"):
        planned()
    made = planned("turns=each")
    train = next(stage for stage in made.stages if stage.kind == "train")
    assert train.recipe["loss_mask"] == "each"
    assert train.examples == 40, "rows of the file, whatever is made of them"
    assert train.recipe["batch_size"] == 32
    assert [note for note in made.notes if not lacks(note, "40 chats train 80 inputs")]
    assert [note for note in made.notes if not lacks(note, "10 chats holdout 20 inputs")]
    rows = [sum(map(len, row)) for row in render_rows(
        Records("chat", tuple({"messages": thoughtful(f"hello {at}", "yes", "12", "no")} for at in range(40))),
        forgetful(), renderer=choose_template(), loss_mask="each",
    )]  # fmt: skip
    assert abs(train.tokens - sum(rows) * 10 * 32 / 40) < sum(rows), "ten steps of 32 of the 40 rows"


def test_together_is_the_default_and_no_other_stage() -> None:
    plain = planned("renderer=plain")
    assert [stage.id for stage in planned("renderer=plain", "turns=together").stages] == [
        stage.id for stage in plain.stages
    ]
    assert {stage.recipe["loss_mask"] for stage in plain.stages} == {"completion"}
    assert not {stage.id for stage in planned("renderer=plain", "turns=each").stages} & {
        stage.id for stage in plain.stages
    }


@pytest.mark.parametrize(
    ("behind", "count"),
    [([], 0), (chat("12"), 1), ([*chat("12"), {**chat("", "no")[1], "weight": 0}, *chat("a")], 3)],
)
def test_the_plan_counts_the_messages_that_are_in_no_input(behind: list[dict[str, Any]], count: int) -> None:
    def load(name: str, spec: DataSpec) -> Dataset:
        def records(word: str, many: int) -> Records:
            chats = [[*thoughtful(f"{word} {at}", "yes"), *behind] for at in range(many)]
            return Records("chat", tuple({"messages": messages} for messages in chats))

        return Dataset(name, spec.source, records("hello", 40), records("a", 10), None, ())

    made = plan(parse(HEAD, overrides=["turns=each"]), load=load, tokenizers=lambda _: forgetful(), prices=prices())
    notes = [note for note in made.notes if "in no input" in note]
    assert len(notes) == 2 * bool(count)
    assert all(any(f"{n * count} messages of {part}" in note for note in notes)
               for part, n in (("train", 40), ("holdout", 10)) if count)  # fmt: skip
