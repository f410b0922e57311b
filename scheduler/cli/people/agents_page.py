"""Print what a program needs to know that plans, submits and reads sweeps (`sweep agents`)."""

import json
from importlib import import_module
from importlib.resources import files
from typing import Any

import click

from scheduler.cli.console.output import Output

ANSWERS = {
    "sweep plan": "PlanAnswer",
    "sweep submit": "SubmissionAnswer",
    "sweep list, sweep wait": "SweepList",
    "sweep status": "SweepStatus",
    "sweep results": "SweepResults",
    "sweep costs": "CostsAnswer",
    "an error of the API": "Problem",
}


@click.command()
@click.pass_obj
def agents(output: Output) -> None:
    """Print how an agent plans, submits, waits for and reads a sweep.

    With -f json it prints the JSON Schema of each answer.
    """
    if output.form == "json":
        output.print_document({"schemas": read_schemas()})
    else:
        click.echo(build_page(), nl=False)


def build_page() -> str:
    """Build the page: its text, then the schemas."""
    text = (files("scheduler.cli.people") / "agents.md").read_text(encoding="utf-8")
    schemas = (f"### {name}\n\n```json\n{json.dumps(schema)}\n```\n" for name, schema in read_schemas().items())
    return "\n".join([text, *schemas])


def read_schemas() -> dict[str, Any]:
    """Read the JSON Schema of each answer from the models of the API."""
    models = import_module("web.api.answer_models")  # by name: what serves the page is above us
    return {name: _shorten(getattr(models, model).model_json_schema()) for name, model in ANSWERS.items()}


def _shorten(schema: Any) -> Any:
    """Leave out the titles, which repeat the names."""
    if isinstance(schema, dict):
        return {key: _shorten(value) for key, value in schema.items() if key != "title" or isinstance(value, dict)}
    return [_shorten(value) for value in schema] if isinstance(schema, list) else schema


commands = {"agents": agents}
