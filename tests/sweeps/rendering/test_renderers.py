"""Which renderer a stage has is part of what it is, and is known before anything runs."""

import pytest

from sweeps import parse
from sweeps.errors import DataError, SpecError
from sweeps.planning.plan import plan
from sweeps.records import Dataset, Records
from sweeps.rendering.renderers import choose_renderer, load_renderer
from sweeps.rendering.tokenizer import OfflineTokenizer, Tokenizer
from sweeps.spec.sections import DataSpec
from sweeps.stage import Plan
from tests.sweeps.questions import HEAD, prices
from tests.sweeps.templates import CHATML, chat, speaking

ASKED = ["plain", "chat_template", "chat_template:enable_thinking=false,effort=3", "cookbook:qwen3_5", "cookbook:a/b"]


def talks(name: str, spec: DataSpec) -> Dataset:
    def records(word: str, count: int) -> Records:
        rows = [{"messages": chat(f"{word} {at}", f"yes {at}", "12", "no")} for at in range(count)]
        return Records("chat", tuple(rows))

    return Dataset(name, spec.source, records("hello", 40), records("a", 10), None, ())


def planned(tokenizer: Tokenizer, *overrides: str, form: str = "chat") -> Plan:
    def texts(name: str, spec: DataSpec) -> Dataset:
        rows = tuple({"text": f"hello {at}"} for at in range(20))
        return Dataset(name, spec.source, Records("text", rows[:15]), Records("text", rows[15:]), None, ())

    load = talks if form == "chat" else texts
    return plan(parse(HEAD, overrides=overrides), load=load, tokenizers=lambda _: tokenizer, prices=prices())


def renderers(made: Plan) -> set[str]:
    return {str(stage.recipe["renderer"]) for stage in made.stages}


@pytest.mark.parametrize("asked", ASKED)
def test_a_file_may_ask_for_a_renderer(asked: str) -> None:
    assert parse(HEAD, overrides=[f"renderer={asked}"]).renderer == asked


@pytest.mark.parametrize("asked", ["fancy", "cookbook", "cookbook:", "chat_template:", "plain:x", "chat_template:a"])
def test_another_is_refused_with_the_known_ones(asked: str) -> None:
    with pytest.raises(SpecError, match=r"renderer: .*plain, chat_template, cookbook:NAME"):
        parse(HEAD, overrides=[f"renderer='{asked}'"])


def test_it_is_said_of_the_whole_sweep() -> None:
    with pytest.raises(SpecError, match=r"vary\.renderer: renderer"):
        parse(HEAD, overrides=["vary.renderer=[plain, chat_template]"])


def test_left_open_it_is_the_models_own_template_where_there_is_one() -> None:
    local = speaking("chatml")
    assert local.chat is not None
    own = planned(local)
    assert renderers(own) == {f"chat_template:{local.chat.digest}"}
    assert dict(own.defaults)["renderer"] == f"chat_template:{local.chat.digest}"
    for without in (speaking(None), OfflineTokenizer()):
        assert renderers(planned(without)) == {"plain"}
        assert dict(planned(without).defaults)["renderer"] == "plain"


def test_asked_for_it_is_no_default_and_the_same_stage() -> None:
    asked = planned(speaking("chatml"), "renderer=chat_template")
    assert "renderer" not in dict(asked.defaults)
    assert [stage.id for stage in asked.stages] == [stage.id for stage in planned(speaking("chatml")).stages]


def test_another_template_is_another_stage_and_other_tokens() -> None:
    plans = [planned(speaking(style)) for style in ("chatml", "headers", None)]
    ids = [frozenset(stage.id for stage in made.stages) for made in plans]
    assert not ids[0] & ids[1]
    assert not ids[0] & ids[2]
    assert len({made.totals.tokens for made in plans}) == 3


def test_text_is_plain_whatever_is_asked_for() -> None:
    made = planned(speaking("chatml"), "renderer=chat_template", form="text")
    assert renderers(made) == {"plain"}
    assert [stage.id for stage in made.stages] == [
        stage.id for stage in planned(speaking("chatml"), form="text").stages
    ]


@pytest.mark.parametrize(
    ("tokenizer", "asked", "says"),
    [
        (OfflineTokenizer(), "chat_template", "chat_template.*offline-characters-1 .*`renderer: plain`"),
        (speaking(None), "chat_template", "chat_template.*local .*`renderer: plain`"),
        (OfflineTokenizer(), "cookbook:qwen3", "cookbook:qwen3.*offline-characters-1 .*`renderer: plain`"),
        (speaking("chatml"), "chat_template:effort=low", "chat template has no argument effort"),
        (speaking("chatml"), "chat_template:messages=low", "chat template has no argument messages"),
    ],
)
def test_what_a_model_does_not_have_is_refused_before_it_is_paid_for(
    tokenizer: Tokenizer, asked: str, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        planned(tokenizer, f"renderer={asked}")


def test_a_worker_with_another_template_than_the_planned_one_refuses() -> None:
    planned_with = choose_renderer(None, speaking("chatml"), messages=True)
    assert load_renderer(planned_with, speaking(CHATML)).template is not None
    with pytest.raises(DataError, match=r"hash [0-9a-f]{12} .* [0-9a-f]{12}; .*same version of the tokenizer"):
        load_renderer(planned_with, speaking("headers"))
