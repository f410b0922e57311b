"""Hand out the files of weights that were saved for download, under signed addresses that end after an hour.

The adapter of an offline model is no network that other programs could run; its files have the layout of PEFT, so that
what downloads them can be tried.
"""

import hashlib
import hmac
import json
import secrets
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from tinker_offline.errors import Refusal
from tinker_offline.service import Service

SECONDS = 3600
CONFIG, ARRAYS = "adapter_config.json", "adapter_model.npz"
_KEY = secrets.token_bytes(32)  # a restart ends every address


def list_urls(service: Service, path: str, base: str) -> dict[str, Any]:
    """List the address of each file of a checkpoint; `base` is the server's own address."""
    checkpoint = service.checkpoints.get(path)
    if checkpoint.folder != "external_weights":
        raise Refusal(f"{path}: expected external weights")
    until = int(time.time()) + SECONDS
    urls = {}
    for file in (CONFIG, ARRAYS):
        query = urlencode({"until": until, "signature": _sign(checkpoint.run_id, checkpoint.name, file, until)})
        urls[file] = f"{base.rstrip('/')}/api/v1/external_files/{checkpoint.run_id}/{checkpoint.name}/{file}?{query}"
    return {"urls": urls, "expires": datetime.fromtimestamp(until, UTC).isoformat()}


def read_file(service: Service, run_id: str, name: str, file: str, query: dict[str, str]) -> bytes:
    """Read one file, if its address was signed here and has not ended."""
    until = query.get("until", "")
    is_signed = until.isdecimal() and hmac.compare_digest(
        _sign(run_id, name, file, int(until)), query.get("signature", "")
    )
    if not is_signed or int(until) < time.time():
        raise Refusal("this address was not given here, or has ended", 403)
    path = f"tinker://{run_id}/external_weights/{name}"
    if file == ARRAYS:
        return service.checkpoints.read_arrays_file(path)
    run = service.checkpoints.get_run(service.checkpoints.get(path).run_id)
    config = {"peft_type": "LORA", "base_model_name_or_path": run.base_model, "r": run.rank}
    return json.dumps(config, indent=2).encode()


def _sign(run_id: str, name: str, file: str, until: int) -> str:
    return hmac.new(_KEY, f"{run_id}/{name}/{file}/{until}".encode(), hashlib.sha256).hexdigest()
