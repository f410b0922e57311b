"""A chat template is another's code: it knows no date, reaches nothing, and is run by many threads at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from scheduler.plugins.jinja_templates import DAY
from sweeps.errors import DataError
from sweeps.rendering.render import render
from sweeps.rendering.renderers import choose_renderer
from sweeps.rendering.tokenizer import get_template
from tests.sweeps.templates import CHATML, chat, speaking
from tests.wording import naming


def said(template: str) -> str:
    chat_template = get_template(speaking(template))
    assert chat_template is not None
    return chat_template.text(chat("a", "b"), (), prompt=False)


def test_the_clock_of_a_template_stands_still() -> None:
    assert said("{{ strftime_now('%d %b %Y') }}") == "01 Jan 2026"
    assert said("{% if strftime_now is defined %}{{ strftime_now('%Y-%m-%d') }}{% endif %}") == "2026-01-01"
    assert said(f"{{{{ strftime_now('{' '.join(DAY)}') }}}}") == " ".join(DAY.values())


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append({}) }}",
        "{% include 'secrets.txt' %}",
        "{{ messages[0].said.by.nobody }}",
        "{{ 1 / 0 }}",
        "{{ raise_exception('no') }}",
        "{% for %}",
    ],
)
def test_what_a_template_must_not_or_cannot_do_is_a_refusal(template: str) -> None:
    with pytest.raises(DataError, match=naming("`renderer: plain`")):
        said(template)


def test_threads_do_not_see_each_others_marks() -> None:
    tokenizer = speaking("marked")
    renderer = choose_renderer(None, tokenizer, messages=True)

    def learnt(count: int) -> int:
        row = {"messages": chat(*["a", "b"] * count)}
        example = render(row, "chat", tokenizer, renderer=renderer, loss_mask="completion")
        return int(example.weights.sum())

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(learnt, [*range(1, 9)] * 8)) == [2 * count for count in [*range(1, 9)] * 8]


def test_the_hash_is_of_the_template_and_of_its_control_tokens() -> None:
    first, same, other = speaking(CHATML), speaking("chatml"), speaking(CHATML + " ")
    assert (first.chat and first.chat.digest) == (same.chat and same.chat.digest)
    assert (first.chat and first.chat.digest) != (other.chat and other.chat.digest)
    assert first.chat is not None
    assert len(first.chat.digest) == 12
