"""Ask a service, by plain HTTP, whether it accepts the key and serves the models. Runs before anything is submitted."""

import difflib
import os
from collections.abc import Sequence

import httpx

from scheduler.errors import ServiceRefused
from scheduler.proxies import find_proxy, is_local
from scheduler.services import ANY_VOCABULARY, find_service

NGRAMS = ("offline/ngram-s", "offline/ngram-m", "offline/ngram-l", "offline/ngram-r")
OFFLINE_MODELS = (*NGRAMS, "offline/chat-s", "offline/chat-r", ANY_VOCABULARY)
NOT_OFFERED = (404, 405, 501)  # statuses of a call that the service does not have
CONSOLE = "https://tinker-console.thinkingmachines.ai"


def check_models(models: Sequence[str], url: str) -> None:
    """Raise ServiceRefused unless each model is served, and the key accepted. `url` is the live service."""
    offline = [model for model in models if find_service(model) == "offline"]
    check_served(offline, OFFLINE_MODELS, "tinker_offline")
    if live := [model for model in models if model not in offline]:
        key = read_key(f"{live[0]} runs on Tinker", f"model={OFFLINE_MODELS[0]}")
        if served := list_served_models(url, key):
            check_served(live, served, "the account")


def list_served_models(base_url: str, key: str) -> list[str]:
    """Return the models that this key may use; empty if the service does not list them. Raises ServiceRefused."""
    through = find_proxy(base_url)
    try:
        answer = _get(base_url, "get_server_capabilities", key)
        if answer.status_code in NOT_OFFERED and _get(base_url, "healthz", key).is_success:
            return []
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ServiceRefused(_describe_unreachable(base_url, through, str(error) or type(error).__name__)) from None
    except (ImportError, ValueError) as error:  # a proxy with a wrong address, or of a kind that is not installed
        if through is None:
            raise
        raise ServiceRefused(_describe_unreachable(base_url, through, str(error))) from None
    if answer.status_code in (401, 403):
        raise ServiceRefused(
            f"Tinker at {base_url} does not accept the key in TINKER_API_KEY (status {answer.status_code}); "
            f"get a valid key at {CONSOLE}"
        )
    if answer.status_code in NOT_OFFERED:
        raise ServiceRefused(f"expected Tinker at {base_url}, got another server; check TINKER_BASE_URL")
    if not answer.is_success:
        raise ServiceRefused(f"Tinker at {base_url} is not available (status {answer.status_code}); try again later")
    try:
        return [name for model in answer.json()["supported_models"] if isinstance(name := model.get("model_name"), str)]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ServiceRefused(f"expected Tinker at {base_url}, got another server; check TINKER_BASE_URL") from None


def _describe_unreachable(base_url: str, through: str | None, cause: str) -> str:
    by = f" through the proxy {through} of the environment" if through else ""
    return f"cannot reach Tinker at {base_url}{by}: {cause}"


def _get(base_url: str, call: str, key: str) -> httpx.Response:
    asked = f"{base_url.rstrip('/')}/api/v1/{call}"
    return httpx.get(asked, headers={"X-API-Key": key}, timeout=20, trust_env=not is_local(base_url))


def read_key(what: str, instead: str) -> str:
    """Return the key from the environment. Raises ServiceRefused, which says what needs it and how to do without."""
    key = os.environ.get("TINKER_API_KEY")
    if not key:
        raise ServiceRefused(
            f"{what}, but TINKER_API_KEY is not set\n"
            f"get a key at {CONSOLE} and export TINKER_API_KEY=tml-…,\n"
            f"or run offline for free: {instead}"
        )
    if not (key.isascii() and key.isprintable()):  # httpx would say so too, and quote the key
        raise ServiceRefused("TINKER_API_KEY contains a line break or another invalid character; set it again")
    return key


def check_served(models: Sequence[str], served: Sequence[str], where: str) -> None:
    """Raise ServiceRefused for a model that is not served."""
    for model in models:
        if model not in served:
            near = difflib.get_close_matches(model, served, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; it serves {', '.join(sorted(served)[:8])}"
            raise ServiceRefused(f"{where} does not serve {model}{hint}")
