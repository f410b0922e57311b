"""Make the API, an app of its own that the page mounts: its errors are problems, not pages."""

from typing import Any

from fastapi import FastAPI

from web.api import answer_models, changing, command_route, details, listening, sending, sweep_views
from web.api.callers import PREFIX, Desk
from web.api.problems import add_problems

ABOUT = (
    "What `sweep -f json` prints, for programs with a token. docs/reference/api.md says how to use it, "
    "docs/reference/json.md what each key means."
)


class Api(FastAPI):
    """An app whose OpenAPI document has our form of errors."""

    def openapi(self) -> dict[str, Any]:
        document = super().openapi()
        document["components"]["schemas"].setdefault("Problem", answer_models.Problem.model_json_schema())
        return document


def create_api(desk: Desk) -> FastAPI:
    """Make the API. It is to be mounted at PREFIX."""
    api = Api(
        title="tinker-sweeps",
        version="1",
        description=ABOUT,
        docs_url=None,  # its page would load scripts from elsewhere
        redoc_url=None,
        servers=[{"url": PREFIX}],
        root_path_in_servers=False,
    )
    api.state.desk = desk
    for routes in (sweep_views, details, listening, changing, sending, command_route):
        api.include_router(routes.router)
    add_problems(api)
    return api
