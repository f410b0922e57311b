"""Does Tinker know this key and these models? Asked before anything is submitted, by plain HTTP: no SDK here."""

import difflib
import os
from collections.abc import Sequence

import httpx

from scheduler.errors import ServiceRefused
from scheduler.proxies import is_local, proxy_for
from scheduler.services import ANY_VOCABULARY, service_of

OFFLINE_MODELS = ("offline/ngram-s", "offline/ngram-m", "offline/ngram-l", "offline/ngram-r", ANY_VOCABULARY)
NOT_OFFERED = (404, 405, 501)  # it has no such call


def check_models(models: Sequence[str], url: str) -> None:
    """Raise ServiceRefused unless each model is served where its name says, and the key is accepted there.

    `url` is the live service's.
    """
    offline = [model for model in models if service_of(model) == "offline"]
    check_served(offline, OFFLINE_MODELS, "tinker_offline")
    if live := [model for model in models if model not in offline]:
        key = key_for(f"{live[0]} runs on Tinker", f"model={OFFLINE_MODELS[0]}")
        if served := served_models(url, key):
            check_served(live, served, "the account")


def served_models(base_url: str, key: str) -> list[str]:
    """The models that this key may use; none where a service of this kind does not tell. Raises ServiceRefused."""
    through = proxy_for(base_url)
    try:
        answer = _get(base_url, "get_server_capabilities", key)
        if answer.status_code in NOT_OFFERED and _get(base_url, "healthz", key).is_success:
            return []
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ServiceRefused(_describe_unreachable(base_url, through, str(error) or type(error).__name__)) from None
    except (ImportError, ValueError) as error:  # of a proxy that is none, or of a kind that is not installed
        if through is None:
            raise
        raise ServiceRefused(_describe_unreachable(base_url, through, str(error))) from None
    if answer.status_code in (401, 403):
        raise ServiceRefused(
            f"Tinker at {base_url} does not accept the key in TINKER_API_KEY ({answer.status_code}); "
            "get a valid one at https://tinker-console.thinkingmachines.ai"
        )
    if answer.status_code in NOT_OFFERED:
        raise ServiceRefused(f"what answers at {base_url} is not Tinker; is TINKER_BASE_URL right?")
    if not answer.is_success:
        raise ServiceRefused(f"Tinker at {base_url} answers {answer.status_code}; try again when it is back")
    try:
        return [name for each in answer.json()["supported_models"] if isinstance(name := each.get("model_name"), str)]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ServiceRefused(f"what answers at {base_url} is not Tinker; is TINKER_BASE_URL right?") from None


def _describe_unreachable(base_url: str, through: str | None, cause: str) -> str:
    by = f" through the proxy {through}, which the environment names" if through else ""
    return f"Tinker at {base_url} cannot be reached{by}: {cause}"


def _get(base_url: str, call: str, key: str) -> httpx.Response:
    asked = f"{base_url.rstrip('/')}/api/v1/{call}"
    return httpx.get(asked, headers={"X-API-Key": key}, timeout=20, trust_env=not is_local(base_url))


def key_for(what: str, instead: str) -> str:
    """The key from the environment. Raises ServiceRefused, saying what needs it and how to do without."""
    key = os.environ.get("TINKER_API_KEY")
    if not key:
        raise ServiceRefused(
            f"{what}, and there is no TINKER_API_KEY\n"
            "get a key at https://tinker-console.thinkingmachines.ai and export TINKER_API_KEY=tml-…,\n"
            f"or rehearse offline, for nothing: {instead}"
        )
    if not (key.isascii() and key.isprintable()):  # httpx would say so too, and quote the key
        raise ServiceRefused("TINKER_API_KEY holds a line break or another character that no key has; set it anew")
    return key


def check_served(models: Sequence[str], served: Sequence[str], where: str) -> None:
    """Raise ServiceRefused for a model that is not among those served."""
    for model in models:
        if model not in served:
            near = difflib.get_close_matches(model, served, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; it serves {', '.join(sorted(served)[:8])}"
            raise ServiceRefused(f"{where} does not serve {model}{hint}")
