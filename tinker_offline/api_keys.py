"""Check API keys: any key of the service's form is valid, unless it is on the list of refused keys."""

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

OPEN = ("/api/v1/healthz", "/api/v1/external_files/")  # the second: each address below it is signed


class KeyCheck:
    """Middleware that answers 401 to a request without a valid `X-API-Key`."""

    def __init__(self, app: ASGIApp, refused: frozenset[str]) -> None:
        self._app = app
        self._refused = refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        problem = None
        if scope["type"] == "http" and not scope["path"].startswith(OPEN):
            problem = self._find_problem(Headers(scope=scope).get("x-api-key", "").strip())
        answer = self._app if problem is None else JSONResponse({"error": problem}, 401, {"Connection": "close"})
        await answer(scope, receive, send)

    def _find_problem(self, key: str) -> str | None:
        if not key:
            return "no API key: the X-API-Key header is missing or empty"
        if not key.startswith("tml-"):
            return "not an API key: expected one that starts with tml-"
        return "this API key is not valid" if key in self._refused else None
