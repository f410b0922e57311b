"""Preference pairs of messages are two chats, of which what answers the prompt bears loss."""

import json
from typing import Any

import pytest

from sweeps import parse
from sweeps.errors import DataError
from sweeps.planning.plan import plan
from sweeps.records import Dataset, Records
from sweeps.rendering.render import Example, render_all
from sweeps.rendering.renderers import choose_renderer
from sweeps.rendering.tokenizer import OfflineTokenizer, Tokenizer
from sweeps.spec.sections import DataSpec
from tests.sweeps.parsed import measure_lengths, parse_jsonl
from tests.sweeps.questions import HEAD, prices
from tests.sweeps.templates import chat, speaking

PROMPT = chat("hello", "yes", "12", system="the")
GOOD, BAD = {"role": "assistant", "content": "good"}, {"role": "assistant", "content": "bad"}
PAIR = {"prompt": PROMPT, "chosen": [GOOD], "rejected": [BAD]}
VOICES: list[Tokenizer] = [OfflineTokenizer(), speaking("chatml"), speaking("headers"), speaking("marked")]


def sides(row: dict[str, Any], tokenizer: Tokenizer) -> list[Example]:
    records = Records("preference", (row,))
    renderer = choose_renderer(None, tokenizer, messages=True)
    examples = render_all(records, tokenizer, renderer=renderer, loss_mask="completion")
    assert measure_lengths(records, tokenizer, renderer) == [sum(map(len, examples))]
    return examples


def learnt(example: Example, tokenizer: Tokenizer) -> str:
    targets = example.tokens[1:][example.weights > 0].tolist()
    return tokenizer.decode(targets[:-1])  # without the token that ends the turn


@pytest.mark.parametrize("tokenizer", VOICES, ids=lambda tokenizer: tokenizer.name)
def test_only_what_answers_the_prompt_is_learnt(tokenizer: Tokenizer) -> None:
    chosen, rejected = sides(PAIR, tokenizer)
    assert [learnt(example, tokenizer) for example in (chosen, rejected)] == ["good", "bad"]
    assert (chosen.text_bytes, rejected.text_bytes) == (4, 3)
    before = int(chosen.weights.argmax()) + 1
    assert chosen.tokens[:before].tolist() == rejected.tokens[:before].tolist()


@pytest.mark.parametrize("tokenizer", VOICES, ids=lambda tokenizer: tokenizer.name)
@pytest.mark.parametrize(
    "row",
    [
        {"prompt": chat("hello"), "chosen": [*chat("hello"), GOOD], "rejected": [*chat("hello"), BAD]},
        {"prompt": "hello", "chosen": [*chat("hello"), GOOD], "rejected": [*chat("hello"), BAD]},
        {"prompt": "hello", "chosen": [GOOD], "rejected": [BAD]},
        {"prompt": chat("hello"), "chosen": "good", "rejected": "bad"},
        {"prompt": "", "chosen": [*chat("hello"), GOOD], "rejected": [*chat("hello"), BAD]},
    ],
    ids=["twice", "text twice", "text", "text behind", "no prompt"],
)
def test_the_prompt_may_be_written_in_every_usual_way(row: dict[str, Any], tokenizer: Tokenizer) -> None:
    wanted = sides({"prompt": chat("hello"), "chosen": [GOOD], "rejected": [BAD]}, tokenizer)
    for ours, theirs in zip(sides(row, tokenizer), wanted, strict=True):
        assert ours.tokens.tolist() == theirs.tokens.tolist()
        assert ours.weights.tolist() == theirs.weights.tolist()


@pytest.mark.parametrize("tokenizer", VOICES, ids=lambda tokenizer: tokenizer.name)
def test_they_are_planned_as_pairs_of_text_are(tokenizer: Tokenizer) -> None:
    def load(name: str, spec: DataSpec) -> Dataset:
        rows = tuple({**PAIR, "prompt": chat(f"hello {at}")} for at in range(30))
        return Dataset(name, spec.source, Records("preference", rows[:20]), Records("preference", rows[20:]), None, ())

    sweep = parse(HEAD, overrides=["train.method=dpo", "evaluate=[preference]", "seeds=1"])
    made = plan(sweep, load=load, tokenizers=lambda _: tokenizer, prices=prices())
    assert {stage.recipe["renderer"] for stage in made.stages} == {choose_renderer(None, tokenizer, messages=True)}
    assert made.totals.train == 1


def test_pairs_of_text_are_text_whatever_the_renderer() -> None:
    tokenizer = speaking("chatml")
    chosen, _ = sides({"prompt": "12", "chosen": "good", "rejected": "bad"}, tokenizer)
    assert chosen.tokens.tolist() == [tokenizer.bos, *tokenizer.encode("12"), *tokenizer.encode("good"), tokenizer.eos]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({**PAIR, "chosen": chat("no answer")}, "chosen: .*assistant"),
        ({**PAIR, "rejected": PROMPT}, "rejected: .*assistant"),
        ({**PAIR, "prompt": 7}, "prompt: .*text.*list of messages"),
    ],
)
def test_a_pair_that_is_none_is_refused(row: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=rf"^row 1: .*{says}.*\(the row: "):
        sides(row, OfflineTokenizer())


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({**PAIR, "chosen": [{"role": "assistant"}]}, r"f:1: chosen\[0\]: .*role and content"),
        ({**PAIR, "prompt": 7}, "f:1: prompt: .*int"),
        ({**PAIR, "rejected": []}, "f:1: rejected: .*empty"),
        ({**PAIR, "tools": ["look_up"]}, "f:1: tools: .*list"),
    ],
)
def test_a_file_of_pairs_is_checked_line_by_line(row: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError, match=says):
        parse_jsonl(json.dumps(row), "f", None)


def test_tools_beside_a_pair_are_kept() -> None:
    tools = [{"type": "function", "function": {"name": "look_up"}}]
    parsed = parse_jsonl(json.dumps({**PAIR, "tools": tools}), "f", None)
    assert parsed.rows == ({**PAIR, "tools": tools},)
    chosen, _ = sides({**PAIR, "tools": tools}, speaking("tools"))
    assert "look_up" in speaking("tools").decode(chosen.tokens.tolist())
