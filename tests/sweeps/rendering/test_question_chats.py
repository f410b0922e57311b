"""Questions through a chat template: the question is the user's, the answer the assistant's, and the mask is exact."""

import numpy as np
import pytest

from sweeps.errors import DataError
from sweeps.evaluation.answer_evaluator import bound_usage
from sweeps.evaluation.answers import ANSWERS
from sweeps.planning.plan import plan
from sweeps.records import Records
from sweeps.rendering.prompts import list_choices, render_prompt, select_learnt
from sweeps.rendering.render import render, render_all
from sweeps.rendering.renderers import PLAIN, choose_renderer, load_renderer
from sweeps.rendering.tokenizer import OfflineTokenizer, Tokenizer
from sweeps.rendering.turns import build_generation_prompt, list_stops
from sweeps.spec.parse import parse
from sweeps.stage import Plan, Stage
from tests.sweeps.parsed import measure_lengths
from tests.sweeps.questions import HEAD, prices
from tests.sweeps.rendering.fact_rows import FACTS, OTHER, ROW, Facts
from tests.sweeps.templates import STYLES, chat, speaking

TWO = Records("questions", (ROW, {**OTHER, "context": "r=2.", "answers": ["2.", "two"]}))


def voice(style: str | None) -> tuple[Tokenizer, str]:
    tokenizer = speaking(style)
    return tokenizer, choose_renderer(None, tokenizer, messages=True)


@pytest.mark.parametrize("style", STYLES)
def test_it_is_learnt_as_the_chat_that_it_is_and_behind_the_prompt_by_which_it_is_asked(style: str) -> None:
    tokenizer, renderer = voice(style)
    records = select_learnt(TWO, "mix")
    examples = render_all(records, tokenizer, renderer=renderer, loss_mask="completion")
    asks = ANSWERS.list_prompts(TWO, {})
    loaded = load_renderer(renderer, tokenizer)
    ends = [stop if isinstance(stop, str) else tokenizer.decode([stop]) for stop in list_stops(loaded)]
    for ask, row, example in zip(asks, TWO.rows, examples, strict=True):
        row_of_chat = {"messages": chat(ask.prompt, row["answers"][0])}
        whole = render(row_of_chat, "chat", tokenizer, renderer=renderer, loss_mask="completion")
        assert np.array_equal(example.tokens, whole.tokens)
        assert np.array_equal(example.weights, whole.weights)
        prompt = build_generation_prompt(render_prompt(ask.prompt, loaded), loaded)
        first = int(np.flatnonzero(example.weights)[0])
        assert example.tokens[: first + 1].tolist() == prompt, "learnt behind what is read when it is asked"
        bears = tokenizer.decode(example.tokens[1:][example.weights > 0].tolist())
        assert bears in [row["answers"][0] + end for end in ends]
    assert measure_lengths(records, tokenizer, renderer) == [len(example) for example in examples]


def test_a_candidate_is_the_assistants_answer_too() -> None:
    tokenizer, renderer = voice("chatml")
    pairs, counts = list_choices(Records("questions", (OTHER,)))
    assert counts == [2]
    examples = render_all(pairs, tokenizer, renderer=renderer, loss_mask="completion")
    assert [tokenizer.decode(example.tokens[1:][example.weights > 0].tolist()) for example in examples] == [
        "1.<|im_end|>", "2.<|im_end|>",
    ]  # fmt: skip
    (plain, _) = render_all(pairs, OfflineTokenizer(), loss_mask="completion")
    assert OfflineTokenizer().decode(plain.tokens.tolist()) == "r=2.\nr=1.", "by `plain` it is text, as ever"


def test_what_cannot_be_masked_exactly_is_refused_by_its_row() -> None:
    tokenizer, renderer = voice("chatml")
    rows = ({"question": "q", "answers": ["\n\nno"]},)
    with pytest.raises(DataError, match=r"^row 1: .*the tokenizer merges across.*\(the row: "):
        render_all(Records("questions", rows), tokenizer, renderer=renderer, loss_mask="completion")


def planned(tokenizer: Tokenizer, *overrides: str) -> Plan:
    sweep = parse(HEAD, overrides=["seeds=1", "evaluate=[nll, answers, rag, reliability]", *overrides])
    return plan(sweep, load=Facts(60), tokenizers=lambda _: tokenizer, prices=prices())


def test_another_renderer_is_another_stage_and_plain_is_text_as_it_was() -> None:
    own, other = planned(speaking("chatml")), planned(speaking("headers"))
    text, without = planned(speaking("chatml"), "renderer=plain"), planned(speaking(None))
    ids = [frozenset(stage.id for stage in made.stages) for made in (own, other, text, without)]
    assert not ids[0] & ids[1]
    assert not ids[0] & ids[2]
    assert ids[2] == ids[3], "a model without a template reads text"
    assert {str(stage.recipe["renderer"])[:14] for stage in own.stages} == {"chat_template:"}
    assert {stage.recipe["renderer"] for stage in text.stages} == {PLAIN}
    assert dict(own.defaults)["renderer"] == f"chat_template:{getattr(speaking('chatml'), 'chat').digest}"  # noqa: B009


def test_what_it_costs_is_reckoned_with_the_prompts_that_are_asked() -> None:
    tokenizer, renderer = voice("chatml")
    loaded = load_renderer(renderer, tokenizer)
    stage = _evaluation(planned(tokenizer), "answers")
    held = Records("questions", FACTS.test[:10])
    prompts = [
        len(build_generation_prompt(render_prompt(ask.prompt, loaded), loaded))
        for ask in ANSWERS.list_prompts(select_learnt(held, "gold"), {})
    ]
    assert tuple(usage.tokens for usage in bound_usage(prompts, 1, 32)) == (stage.low_tokens, stage.tokens)


def test_a_template_that_the_model_does_not_have_is_refused() -> None:
    with pytest.raises(DataError, match="`renderer: plain`"):
        planned(OfflineTokenizer(), "renderer=chat_template")


def _evaluation(made: Plan, name: str) -> Stage:
    named = {str(dict(stage.recipe["evaluator"])["name"]): stage for stage in made.stages if stage.kind == "evaluate"}  # type: ignore[arg-type]
    return named[name]
