"""Chats of every kind that people have, each by its name: what real chat templates are tried on."""

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a town.",
        "parameters": {
            "type": "object",
            "properties": {
                "town": {"type": "string", "description": "Where."},
                "unit": {"type": "string", "enum": ["celsius", "kelvin"]},
                "days": {"type": "integer", "description": "How far ahead."},
            },
            "required": ["town"],
        },
    },
}
OTHER = {
    "type": "function",
    "function": {
        "name": "add_up",
        "description": "The sum.",
        "parameters": {"type": "object", "properties": {"numbers": {"type": "array", "items": {"type": "number"}}}},
    },
}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def said(content: Any, **beside: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **beside}


def system(content: Any) -> dict[str, Any]:
    return {"role": "system", "content": content}


def call(number: int, name: str = "get_weather", **arguments: Any) -> dict[str, Any]:
    return {"id": f"call_{number}", "type": "function", "function": {"name": name, "arguments": arguments}}


def result(number: int, content: str, name: str = "get_weather") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": f"call_{number}", "name": name, "content": content}


def chat(*messages: dict[str, Any], tools: bool = False) -> Row:
    return {"messages": list(messages), **({"tools": [TOOL, OTHER]} if tools else {})}


OSLO, ROME = call(1, town="Oslo", days=2), call(2, town="Rome", unit="kelvin")
ASKED = user("How is it in Oslo?")

SCENARIOS: Mapping[str, Row] = {
    "one turn": chat(user("Say hello."), said("Hello there.")),
    "several turns": chat(user("Hi"), said("Yes?"), user("Two and two?"), said("Four.")),
    "only the last answer learnt": chat(user("Hi"), said("Yes?", weight=0), user("Two and two?"), said("Four.")),
    "system": chat(system("Be brief."), user("Hi"), said("Yes?")),
    "system, several turns": chat(system("Be brief."), user("Hi"), said("Yes?"), user("And?"), said("No.")),
    "question last": chat(user("Hi"), said("Yes?"), user("Thanks, bye")),
    "answers in a row": chat(user("Hi"), said("Yes?"), said("What is it?")),
    "tools, no call": chat(user("Hi"), said("Yes?"), tools=True),
    "call": chat(ASKED, said(None, tool_calls=[OSLO]), tools=True),
    "call, arguments of all kinds": chat(
        user("Add."),
        said(
            None, tool_calls=[call(1, "add_up", numbers=[1, 2.5], exact=True, note='a "b"\n{c} é', how={"by": "hand"})]
        ),
        tools=True,
    ),
    "text and call": chat(ASKED, said("I will look.", tool_calls=[OSLO]), tools=True),
    "parallel calls": chat(user("Oslo and Rome?"), said(None, tool_calls=[OSLO, ROME]), tools=True),
    "call, result, answer": chat(
        ASKED, said(None, tool_calls=[OSLO]), result(1, '{"degrees": -3}'), said("It freezes."), tools=True
    ),
    "parallel calls, results, answer": chat(
        user("Oslo and Rome?"),
        said(None, tool_calls=[OSLO, ROME]),
        result(1, "minus three"),
        result(2, "twenty"),
        said("Rome is warmer."),
        tools=True,
    ),
    "results in another order": chat(
        user("Oslo and Rome?"),
        said(None, tool_calls=[OSLO, ROME]),
        result(2, "twenty"),
        result(1, "minus three"),
        said("Rome is warmer."),
        tools=True,
    ),
    "thought": chat(user("Two and two?"), said("Four.", reasoning_content="Two more than two.")),
    "thought in the content": chat(user("Two and two?"), said("<think>\nTwo more than two.\n</think>\n\nFour.")),
    "thoughts, several turns": chat(
        user("Two and two?"),
        said("Four.", reasoning_content="Two more than two."),
        user("And three?"),
        said("Seven.", reasoning_content="Three more than four."),
    ),
    "thought, call, result, answer": chat(
        ASKED,
        said(None, reasoning_content="I must look.", tool_calls=[OSLO]),
        result(1, "minus three"),
        said("It freezes.", reasoning_content="Below zero."),
        tools=True,
    ),
    "parts of text": chat(
        system([{"type": "text", "text": "Be brief."}]),
        user([{"type": "text", "text": "Two "}, {"type": "text", "text": "and two?"}]),
        said([{"type": "text", "text": "Four."}]),
    ),
    "a picture": chat(
        user([{"type": "image", "url": "a.png"}, {"type": "text", "text": "What is it?"}]), said("A cat.")
    ),
    "an empty answer": chat(user("Hi"), said("")),
    "unicode, line breaks": chat(
        user("Grüße 🎉\n\n你好"), said("Привет 🎉\n\n  def f(x):\n\treturn x\n\ne\u0301 ภาษา")
    ),
}
