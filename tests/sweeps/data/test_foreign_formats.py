"""What a row holds is learnt, read, named, or refused: in the words of other tools, too."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.sweeps.files import jsonl, read, refusal, turn
from tests.wording import lacks

ASKED, SAID = turn("user", "q"), turn("assistant", "a")
CALL = {"type": "function", "function": {"name": "look", "arguments": {"at": 1}}}
TOOL = {"name": "look", "description": "looks", "parameters": {}}
CHATS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "sharegpt": ({"conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}, [ASKED, SAID]),
    "one conversation": ({"conversation": [ASKED, SAID], "id": 7}, [ASKED, SAID]),
    "sharegpt in messages": (
        {"messages": [{"from": "user", "value": "q"}, {"from": "assistant", "value": "a"}]},
        [ASKED, SAID],
    ),
    "sharegpt with system": (
        {"system": "s", "conversations": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a", "weight": 1}]},
        [turn("system", "s"), ASKED, turn("assistant", "a", weight=1)],
    ),
    "sharegpt with calls": (
        {
            "conversations": [
                {"from": "human", "value": "q"},
                {"from": "function_call", "value": '{"name": "look", "arguments": {"at": 1}}'},
                {"from": "observation", "value": "7"},
                {"from": "gpt", "value": "a"},
            ]
        },
        [ASKED, turn("assistant", "", tool_calls=[CALL]), turn("tool", "7"), SAID],
    ),
    "alpaca": ({"instruction": "q", "input": "", "output": "a", "text": "### q a"}, [ASKED, SAID]),
    "alpaca with input": ({"instruction": "q", "input": "i", "output": "a"}, [turn("user", "q\n\ni"), SAID]),
    "alpaca with history": (
        {"instruction": "q", "output": "a", "system": "s", "history": [["p", "o"]]},
        [turn("system", "s"), turn("user", "p"), turn("assistant", "o"), ASKED, SAID],
    ),
    "dolly": ({"instruction": "q", "context": "i", "response": "a", "category": "c"}, [turn("user", "q\n\ni"), SAID]),
    "prompt and completion of messages": (
        {"prompt": [turn("user", "p"), turn("assistant", "o"), ASKED], "completion": [SAID]},
        [turn("user", "p"), turn("assistant", "o", weight=0), ASKED, SAID],
    ),
    "system beside messages": ({"messages": [ASKED, SAID], "system_prompt": "s"}, [turn("system", "s"), ASKED, SAID]),
    "the same system twice": (
        {"messages": [turn("system", "s"), ASKED, SAID], "system": "s"},
        [turn("system", "s"), ASKED, SAID],
    ),
    "null keys": ({"messages": [ASKED, {**SAID, "tool_calls": None, "name": None}], "tools": None}, [ASKED, SAID]),
    "calls without content": (
        {"messages": [ASKED, {"role": "assistant", "tool_calls": [CALL]}]},
        [ASKED, turn("assistant", "", tool_calls=[CALL])],
    ),
    "columns for messages": ({"messages": {"role": ["user", "assistant"], "content": ["q", "a"]}}, [ASKED, SAID]),
}


@pytest.mark.parametrize("name", CHATS)
def test_chats_in_other_words_are_the_same_chats(tmp_path: Path, name: str) -> None:
    row, messages = CHATS[name]
    assert read(tmp_path, row).train.rows == ({"messages": messages},)
    assert "chat" in read(tmp_path, row).notes[0]


def test_tools_beside_messages_are_kept_also_as_text(tmp_path: Path) -> None:
    rows = [{"messages": [ASKED, SAID], "tools": tools} for tools in ([TOOL], json.dumps([TOOL]))]
    assert [dict(row) for row in read(tmp_path, *rows).train.rows] == [{"messages": [ASKED, SAID], "tools": [TOOL]}]


def test_questions_in_other_words(tmp_path: Path) -> None:
    squad = {
        "question": "q",
        "context": "c",
        "answers": {"text": ["a", "b", "a"], "answer_start": [0, 1, 0]},
        "id": "1",
    }
    assert read(tmp_path, squad, context="gold").holdout.format == "questions"
    (row,) = read(tmp_path, squad, {**squad, "question": "r"}, holdout=1).holdout.rows
    assert row["answers"] == ["a", "b"]
    (row,) = read(tmp_path, {"question": "q", "answer": "a", "answers": ["a", "b"], "context": None}).train.rows
    assert row == {"question": "q", "answers": ["a"]}


def test_keys_that_change_nothing_are_named(tmp_path: Path) -> None:
    rows = [{"messages": [ASKED, SAID], "id": 3, "images": [], "weight": 1.0, "source": "web", "tags": None}]
    assert "keys not used: id, source, weight" in read(tmp_path, *rows).notes[1]


CHAT, TEXT, PAIR = {"messages": [ASKED, SAID]}, {"prompt": "q", "completion": "a"}, {"chosen": "a b", "rejected": "c"}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({**CHAT, "images": ["a.png"]}, "images: text"),
    ({**CHAT, "audio": {"path": "a.wav"}}, "audio: text"),
    ({**CHAT, "weight": 0.5}, "weight: 0.5"),
    ({**TEXT, "loss_weight": 0}, "loss_weight: 0"),
    ({**TEXT, "train": False}, "train: False"),
    ({**TEXT, "tools": [TOOL]}, "tools completion"),
    ({**CHAT, "functions": [TOOL]}, "functions chat `tools`"),
    ({**CHAT, "chat_template_kwargs": {"enable_thinking": False}}, "chat_template_kwargs chat"),
    ({**TEXT, "system": "s"}, "system text"),
    ({**TEXT, "label": False}, "label: False"),
    ({**CHAT, "label": True}, "label: True"),
    ({**TEXT, "rejected": "b"}, "rejected `format: completion`"),
    ({**CHAT, "rejected": [SAID]}, "rejected `format: chat`"),
    (
        {**CHAT, "prompt": "q", "chosen": [SAID], "rejected": [turn("assistant", "b")]},
        "`format: preference` or `format: chat`",
    ),
    ({**CHAT, **TEXT}, "`format: chat` or `format: completion`"),
    ({**CHAT, "system": "s", "messages": [turn("system", "t"), ASKED, SAID]}, "system messages another"),
    ({"prompt": "q", "completions": ["a", "b"], "scores": [1, 2]}, "completions, prompt, scores"),
    ({"prompt": "q", "completion": None}, "completion: null"),
    ({"prompt": None, "completion": "a"}, "prompt: null"),
    ({"prompt": "q", "completion": 42}, "completion: int"),
    ({"prompt": "q", "completion": " \n"}, "completion: empty"),
    ({"text": None}, "text: null"),
    ({"question": "q", "answer": 7}, "answer: int"),
    ({"question": "q", "answer": "a", "answers": ["b"]}, "answer: `answers`"),
    ({"instruction": "q", "output": ""}, "output: empty"),
    ({"instruction": "", "input": " ", "output": "a"}, "instruction, input: empty"),
    ({"instruction": "q", "output": "a", "history": ["p"]}, "history: list [question, answer]"),
    ({"conversations": [{"from": "bard", "value": "q"}]}, "conversations[0]: 'bard' human"),
    ({"conversations": [{"from": "function_call", "value": "look(1)"}]}, "conversations[0]: call name arguments"),
    ({"conversations": [{"from": "human", "value": "q"}]}, "assistant roles user"),
    ({"messages": "[{'role': 'user'}]"}, "messages: JSON json.dumps"),
    ({"messages": "q"}, "messages: list role content"),
    ({"prompt": "q", **PAIR, "system": "s"}, "system text"),
    ({"prompt": "q", "instruction": "q", **PAIR}, "one prompt and instruction"),
    ({"prompt": "q", "chosen": "a", "rejected": " a"}, "chosen rejected same"),
    ({"prompt": "q", "chosen": "a", "rejected": None}, "rejected: null"),
    ({**PAIR}, "without a prompt"),
]


@pytest.mark.parametrize(("row", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_what_would_be_lost_is_refused_by_line(tmp_path: Path, row: dict[str, Any], says: str) -> None:
    (tmp_path / "d.jsonl").write_text("\n" + jsonl([row]))
    message = refusal(tmp_path, "d.jsonl")
    assert message.startswith("data.mine: d.jsonl:2: ")
    assert not lacks(message, says)


def test_a_format_that_is_asked_for_says_what_a_row_with_two_means(tmp_path: Path) -> None:
    row = {"prompt": "q", **CHAT, "chosen": [ASKED, SAID], "rejected": [ASKED, turn("assistant", "b")]}
    assert read(tmp_path, row, format="chat").train.rows == (CHAT,)
    assert read(tmp_path, row, format="preference").train.rows[0]["rejected"] == [turn("assistant", "b")]
    assert "keys not used: messages" in read(tmp_path, row, format="preference").notes[1]


Q, A, B = turn("user", "Where is lot 1?"), turn("assistant", "on a shelf"), turn("assistant", "no idea")
HELLO = [turn("user", "Hello"), turn("assistant", "Hi!")]
BRIEF = turn("system", "Be brief.")
H = "\n\nHuman: Where is lot 1?\n\nAssistant: "
PAIRS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "answers": ({"prompt": [Q], "chosen": [A], "rejected": [B]}, [Q]),
    "text before messages": ({"prompt": Q["content"], "chosen": [Q, A], "rejected": [Q, B]}, [Q]),
    "a space at its end": ({"prompt": Q["content"] + " ", "chosen": [Q, A], "rejected": [Q, B]}, [Q]),
    "a space within": ({"prompt": [turn("user", "Where  is\nlot 1?")], "chosen": [Q, A], "rejected": [Q, B]}, [Q]),
    "a system message before": (
        {"prompt": Q["content"], "chosen": [BRIEF, Q, A], "rejected": [BRIEF, Q, B]},
        [BRIEF, Q],
    ),
    "a system message in the prompt alone": ({"prompt": [BRIEF, Q], "chosen": [Q, A], "rejected": [Q, B]}, [BRIEF, Q]),
    "the last question": ({"prompt": Q["content"], "chosen": [*HELLO, Q, A], "rejected": [*HELLO, Q, B]}, [*HELLO, Q]),
    "one side alone": ({"prompt": [Q], "chosen": [Q, A], "rejected": [B]}, [Q]),
    "no prompt": ({"chosen": [*HELLO, Q, A], "rejected": [*HELLO, Q, B]}, [*HELLO, Q]),
    "null prompt": ({"prompt": None, "chosen": [Q, A], "rejected": [Q, B]}, [Q]),
    "single messages": (
        {
            "conversations": [{"from": "human", "value": Q["content"]}],
            "chosen": {"from": "gpt", "value": A["content"]},
            "rejected": {"from": "gpt", "value": B["content"]},
        },
        [Q],
    ),
    "instruction": ({"instruction": Q["content"], "chosen": [A], "rejected": [B]}, [Q]),
    "hh": ({"chosen": H + A["content"], "rejected": H + B["content"]}, [Q]),
    "a list as text": ({"prompt": json.dumps([Q]), "chosen": json.dumps([A]), "rejected": json.dumps([B])}, [Q]),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_is_one_prompt_and_two_answers_however_it_is_written(tmp_path: Path, name: str) -> None:
    row, prompt = PAIRS[name]
    assert read(tmp_path, row).train.rows == ({"prompt": prompt, "chosen": [A], "rejected": [B]},)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "another question": ({"prompt": "Where is lot 2?", "chosen": [Q, A], "rejected": [Q, B]}, "chosen: user prompt"),
    "different prompts": (
        {"prompt": Q["content"], "chosen": [BRIEF, Q, A], "rejected": [Q, B]},
        "chosen rejected different prompts",
    ),
    "no common beginning": ({"chosen": [Q, A], "rejected": [HELLO[0], B]}, "chosen: user after prompt"),
    "no answer": ({"prompt": [Q], "chosen": [Q], "rejected": [Q, B]}, "chosen: assistant none"),
    "behind an answer": ({"prompt": [Q], "chosen": [HELLO[1], Q, A], "rejected": [B]}, "chosen: once more"),
    "equal": ({"prompt": [Q], "chosen": [Q, A], "rejected": [A]}, "chosen rejected same"),
    "an empty answer": ({"prompt": [Q], "chosen": [A], "rejected": [turn("assistant", " ")]}, "empty answer"),
    "hh of one side": ({"chosen": H + "a", "rejected": "b"}, "does not begin with Human"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_pair_that_cannot_be_told_is_refused(tmp_path: Path, name: str) -> None:
    row, says = WRONG[name]
    (tmp_path / "d.jsonl").write_text(jsonl([row]))
    message = refusal(tmp_path, "d.jsonl")
    assert message.startswith("data.mine: d.jsonl:1: ")
    assert not lacks(message, says)


def test_text_that_begins_with_the_prompt_is_read_once(tmp_path: Path) -> None:
    rows = [
        {"prompt": f"Where is lot {at}? ", "chosen": f"Where is lot {at}? here", "rejected": f"Where is lot {at}? no"}
        for at in range(3)
    ]
    dataset = read(tmp_path, *rows)
    assert [dict(row) for row in dataset.train.rows] == [{**row, "chosen": "here", "rejected": "no"} for row in rows]
    assert any("begin with the prompt" in note for note in dataset.notes)
    mixed = [*rows, {"prompt": "Who?", "chosen": "Ada", "rejected": "Bob"}]
    (tmp_path / "d.jsonl").write_text(jsonl(mixed))
    assert not lacks(refusal(tmp_path, "d.jsonl"), "d.jsonl:1: begins prompt")
    short = [{"prompt": "I", "chosen": "I am", "rejected": "no"}, mixed[-1]]
    assert [dict(row) for row in read(tmp_path, *short).train.rows] == short
