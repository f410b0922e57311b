"""Calls and tools as people's files have them: read, or refused by name; and so is each piece of a tool."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from sweeps.errors import DataError
from sweeps.records import Records
from sweeps.rendering.chats import read_chat
from sweeps.rendering.render import render, render_all
from sweeps.rendering.renderers import choose_renderer
from tests.scenarios import call, chat, said, user
from tests.sweeps.templates import CHATML, speaking
from tests.tokenizers import FAMILIES, are_there, real_tokenizer

REAL = pytest.mark.skipif(not are_there(), reason="NO REAL TOKENIZERS: `make tokenizers` gets them")
CALLING = ("qwen3-2507", "qwen3-coder", "nemotron-3-nano", "gpt-oss")  # of each form one; of two vocabularies
TELLS = "{%- if tools %}{{- '<|im_start|>system\n' ~ (tools | tojson) ~ '<|im_end|>\n' }}{%- endif %}" + CHATML


def calling(arguments: Any = ..., **more: Any) -> Mapping[str, Any]:
    function = {"name": "look", **({} if arguments is ... else {"arguments": arguments})}
    return chat(
        user("a"), said("b", weight=0), user("c"), said("", tool_calls=[call(1), {"function": function, **more}])
    )


def tool(parameters: Any = None, **beside: Any) -> dict[str, Any]:
    default = {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]}
    parameters = default if parameters is None else parameters
    return {
        "type": "function",
        "function": {"name": "look", "description": "Looks.", "parameters": parameters, **beside},
    }


def of(**piece: Any) -> dict[str, Any]:
    """A tool with one parameter, a text of which more is said."""
    return tool({"type": "object", "properties": {"town": {"type": "string", **piece}}, "required": ["town"]})


def learnt(family: str, row: Mapping[str, Any]) -> str:
    tokenizer = real_tokenizer(family) if family in FAMILIES else speaking(family)
    thinks = family.startswith(("qwen3.", "nemotron"))
    asked = "chat_template:enable_thinking=false" if thinks and "reasoning_content" not in row["messages"][-1] else None
    renderer = choose_renderer(asked, tokenizer, messages=True)
    (example,) = render_all(Records("chat", (row,)), tokenizer, renderer=renderer, loss_mask="completion")
    return str(tokenizer.decode(example.tokens[1:][example.weights > 0].tolist()))


UNREADABLE = [
    ([1, 2], "a list"),
    ("not JSON", "'not JSON'"),
    ("[1]", "the JSON text of a list"),
    ('"{\\"at\\": 1}"', "the JSON text of text"),
    ("null", "the JSON text of null"),
    (5, "a number"),
    (True, "a boolean"),
    (None, "null"),
    (..., "got none"),
    ('{"at": 1, "at": 2}', "'at' is twice"),
    ('{"at": NaN}', "got NaN"),
    ('{"at": 1e999}', "got 1e999"),
    ('{"at": "\\ud800"}', "surrogates not allowed"),
    ('{"at": ' + "[" * 100_000, "which is none"),
]


@pytest.mark.parametrize(("arguments", "got"), UNREADABLE, ids=[got for _, got in UNREADABLE])
def test_arguments_that_are_no_object_are_refused_by_name(arguments: Any, got: str) -> None:
    with pytest.raises(DataError, match=r"message 4 \(assistant\): call 2 \(of look\).*expected.*got") as refused:
        read_chat(calling(arguments), ())
    assert got in str(refused.value)


@REAL
@pytest.mark.parametrize("family", CALLING)
def test_for_every_template(family: str) -> None:
    for arguments in ([1], "text", None, ...):
        with pytest.raises(DataError, match=r"message 4 \(assistant\): call 2 \(of look\)"):
            learnt(family, {**calling(arguments), "tools": [tool()]})


@pytest.mark.parametrize("nothing", ["", "  \n", "{}", {}])
def test_an_empty_text_of_arguments_is_a_call_without_any(nothing: Any) -> None:
    _, function = (call["function"] for call in read_chat(calling(nothing), ()).messages[3]["tool_calls"])
    assert function == {"name": "look", "arguments": {}}


@REAL
@pytest.mark.parametrize("family", CALLING)
def test_a_call_without_arguments_is_learnt_alike_in_each_spelling(family: str) -> None:
    def row(arguments: Any) -> Mapping[str, Any]:
        call = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": arguments}}
        return {**chat(user("a"), said("", tool_calls=[call])), "tools": [tool()]}

    nothing: tuple[Any, ...] = ("", " ", "{}", {})
    whole = {learnt(family, row(arguments)) for arguments in nothing}
    assert len(whole) == 1
    assert "look" in whole.pop()


def test_a_call_without_its_wrapper_is_the_same_call() -> None:
    bare, whole = {"name": "look", "arguments": '{"at": [1]}'}, {"function": {"name": "look", "arguments": {"at": [1]}}}
    assert learnt(TELLS, chat(user("a"), said("b", tool_calls=[bare]))) == learnt(
        TELLS, chat(user("a"), said("b", tool_calls=[whole]))
    )


@pytest.mark.parametrize(
    ("made", "got"),
    [({"name": ""}, "name"), ({"name": None}, "name"), ({"name": 5}, "name"), ({"type": "custom"}, "custom")],
)
def test_a_call_names_a_function(made: dict[str, Any], got: str) -> None:
    call = {"name": "look", "arguments": {}, **made}
    with pytest.raises(DataError, match=rf"message 2 \(assistant\): call 1: expected.*{got}"):
        read_chat(chat(user("a"), said("", tool_calls=[call])), ())


@pytest.mark.parametrize("parameters", ["text", "[]", [1], 5, True, ""])
@pytest.mark.parametrize("inner", [True, False])
def test_parameters_that_are_no_object_are_refused(parameters: Any, *, inner: bool) -> None:
    made = tool(parameters) if inner else {"name": "look", "input_schema": parameters}
    with pytest.raises(DataError, match=r"tool 2: its (parameters|input_schema): expected an object"):
        read_chat({**chat(user("a"), said("b")), "tools": [tool(), made]}, ())


@REAL
@pytest.mark.parametrize("family", ["gpt-oss", "qwen3-2507"])
def test_parameters_as_the_text_of_an_object_are_that_object(family: str) -> None:
    def read(parameters: Any) -> list[int]:
        tokenizer = real_tokenizer(family)
        row = {**chat(user("a"), said("b")), "tools": [tool(parameters)]}
        renderer = choose_renderer(None, tokenizer, messages=True)
        return list(render(row, "chat", tokenizer, renderer=renderer, loss_mask="completion").tokens)

    parameters = tool()["function"]["parameters"]
    assert read(json.dumps(parameters)) == read(parameters)
    assert read(parameters) != read({"type": "object", "properties": {"place": {"type": "string"}}})


PIECES = {
    "strict": tool(strict=True),
    "title": of(title="Town"),
    "pattern": of(pattern="^[A-Z]"),
    "minimum": of(type="integer", minimum=0),
    "maximum": of(type="number", maximum=1.5),
    "format": of(format="date"),
    "examples": of(examples=["Oslo"]),
    "const": of(const=None),
    "deprecated": of(deprecated=False),
    "enum": of(type="boolean", enum=[True]),
    "additionalProperties": tool(
        {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    ),
    "required": tool({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["b"]}),
    "type": tool({"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}}),
    "property": tool(
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/T"}}, "$defs": {"T": {"type": "string"}}}
    ),
    "description": tool(returns={"description": "A town."}),
}


@REAL
@pytest.mark.parametrize("key", PIECES)
def test_a_piece_of_a_tool_that_is_not_written_is_refused_by_its_key(key: str) -> None:
    row = {**chat(user("a b T Oslo 0 1.5 true date"), said("Yes.")), "tools": [PIECES[key]]}
    with pytest.raises(DataError, match=f"leaves out the {key} .* of a tool"):
        learnt("gpt-oss", row)
    assert learnt("qwen3-2507", row) == "Yes.<|im_end|>"
    assert learnt("qwen3-coder", row) == "Yes.<|im_end|>"


WRITTEN = [
    tool(),
    tool({"type": "object", "properties": {}}),
    of(default="Oslo", description="Where."),
    of(type="boolean", default=False),
    of(type=["string", "null"]),
    of(type="array", items={"type": "string"}),
    of(type="object", properties={"x": {"type": "integer"}}, required=["x"]),
    of(enum=["Oslo", "Rome"]),
    of(items=None, enum=None),  # as a table fills what is not there
    {"type": "function", "function": {"name": "now", "description": "The time."}},
]


@REAL
@pytest.mark.parametrize("made", WRITTEN, ids=[str(at) for at in range(len(WRITTEN))])
def test_types_and_what_is_required_may_be_written_in_another_form(made: Any) -> None:
    for family in CALLING:
        assert learnt(family, {**chat(user("a"), said("Yes.")), "tools": [made]}).endswith(
            ("Yes.<|im_end|>", "Yes.<|return|>")
        )


@pytest.mark.parametrize(
    ("wrong", "leaves"),
    [
        ("(t.parameters.properties | list | tojson)", "type"),
        ("(t.parameters.properties | tojson)", "required"),
        ("(t.parameters | tojson | replace('true', 'false'))", "flag"),
        ("(t.parameters | tojson | replace('[]', '') | replace('7', ''))", "most"),
    ],
)
def test_what_no_mark_can_stand_for_is_changed_and_the_change_must_be_seen(wrong: str, leaves: str) -> None:
    leaves_of_schema = {"type": "integer", "flag": True, "most": 7}
    parameters = {
        "type": "object",
        "properties": {"n": {key: leaves_of_schema[key] for key in ("type", leaves) if key in leaves_of_schema}},
    }
    made = {"name": "look", "parameters": {**parameters, "required": ["n"]}}
    template = "{%- for t in tools or [] %}{{- '<|im_start|>' ~ t.name ~ WRONG ~ '<|im_end|>\n' }}{%- endfor %}"
    row = {**chat(user("7 true integer n"), said("yes")), "tools": [made]}
    with pytest.raises(DataError, match=f"leaves out the {leaves} "):
        learnt(template.replace("WRONG", wrong) + CHATML, row)
    assert learnt(template.replace("WRONG", "(t.parameters | tojson)") + CHATML, row) == "yes<|im_end|>"


@pytest.mark.parametrize("value", [True, False, None, [], {}])
def test_a_value_of_an_argument_that_is_left_out_is_refused_though_its_word_stands_elsewhere(value: Any) -> None:
    names = CHATML.replace("(call.function | tojson)", "call.function.name ~ (call.function.arguments | list | tojson)")
    row = chat(user("true false null None [] {}"), said("true false null None [] {}", tool_calls=[call(1, at=value)]))
    with pytest.raises(DataError, match=r"leaves out of a call .*said by assistant in message 2"):
        learnt(names, row)
    assert json.dumps({"at": value}) in learnt(CHATML, row)


MARKS = ["a </think> b", "<think>a", "a\n</think>", "<think>a</think>"]


@REAL
@pytest.mark.parametrize("thought", MARKS)
def test_a_thought_that_holds_its_own_end_is_refused(thought: str) -> None:
    for family in ("qwen3", "nemotron-3-nano", "gpt-oss"):
        with pytest.raises(DataError, match=r"message 2 \(assistant\): expected .* thought .*think>"):
            learnt(family, chat(user("a"), said("c", reasoning_content=thought)))


NO_ANSWER = [
    said("", reasoning_content="a"),
    said(None, thinking="a"),
    said("<think>a</think>"),
    said("<think>\na\n</think>\n\n"),
    said("<think>a, and no end"),
]


@pytest.mark.parametrize("message", NO_ANSWER)
def test_a_thought_without_an_answer_teaches_to_end_behind_it(message: dict[str, Any]) -> None:
    with pytest.raises(DataError, match=r"message 2 \(assistant\): .*thought"):
        read_chat(chat(user("a"), message), ())
    assert read_chat(chat(user("a"), {**message, "weight": 0}, user("b"), said("c")), ()).learnt == [3]
    called = {**message, "tool_calls": [call(1, at=1)]}
    assert read_chat(chat(user("a"), called), ()).learnt == [1]


@REAL
@pytest.mark.parametrize(
    ("family", "row"),
    [
        *((family, chat(said("Hello."), user("a"), said("b"))) for family in ("qwen3", "gpt-oss")),
        *((family, chat(said("Hello."))) for family in ("qwen3-coder", "nemotron-3-nano")),
        ("gpt-oss", chat(said("Hello."), said("b"))),
    ],
)
def test_a_chat_that_begins_with_the_assistant_is_refused_in_words_of_ours(family: str, row: Mapping[str, Any]) -> None:
    with pytest.raises(DataError, match=r"message [12]: expected one of the user first, got one of the assistant"):
        learnt(family, row)


@REAL
def test_what_a_template_needs_of_a_tool_is_named() -> None:
    made = {"type": "function", "function": {"name": "now"}}
    with pytest.raises(DataError, match="expected `description`"):
        learnt("gpt-oss", {**chat(user("a"), said("b")), "tools": [made]})


@pytest.mark.parametrize(
    "messages",
    [[user("hi<|im_end|>"), said("yes")], [user("hi"), said("yes<|eos|>")], [user("hi<|begin|>"), said("b")]],
)
def test_a_control_token_is_refused_by_plain_as_by_a_template(messages: list[dict[str, Any]]) -> None:
    tokenizer = speaking(CHATML)
    for renderer in ("plain", choose_renderer(None, tokenizer, messages=True)):
        with pytest.raises(DataError, match=r"message \d contains <.\w+.>, a control token"):
            render({"messages": messages}, "chat", tokenizer, renderer=renderer, loss_mask="completion")


@pytest.mark.parametrize(
    "row",
    [
        chat({"role": "user<|im_end|>", "content": "a"}, said("b")),
        {**chat(user("a"), said("b")), "tools": [tool({"type": "object", "x<|im_end|>": 5})]},
        {**chat(user("a"), said("b")), "tools": [of(type="<|im_end|>")]},
        chat(user("a"), said("", tool_calls=[call(1, at={"<|im_end|>": 1})])),
    ],
)
def test_a_control_token_is_found_wherever_it_stands(row: Mapping[str, Any]) -> None:
    with pytest.raises(DataError, match="a control token"):
        learnt(TELLS, row)


def test_a_template_that_takes_certain_words_alone_is_refused_not_believed() -> None:
    """What it leaves out could not be told."""
    strict = "{%- if 'hello' not in messages[0].content %}{{ raise_exception('say hello') }}{%- endif %}" + CHATML
    with pytest.raises(DataError, match=r"with other words in it.*say hello"):
        learnt(strict, chat(user("hello"), said("yes")))
