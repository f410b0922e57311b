"""Pack JSON for Redis: what only Python reads is a fraction of its size there. Changing DICTIONARY changes the layout.

Recipes of stages are nearly alike, so each is compressed against a text with the words that all of them have.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.stage import Json

MARK = ":"  # before what is packed; JSON of a document never begins with it
RAW = -15  # deflate without header and checksum
DICTIONARY = b"".join(
    [
        b'{"run":10,"number":1,"cell":{"data":"reference","size":1024,"learning_rate":0.001},"seed":0,"stage":"train-',
        b'","before":[],"measures":{"answers":"evaluate-","zero_shot.nll":"evaluate-","nll":"evaluate-"}}',
        b'{"items":"stages/.items.jsonl.gz","count":256,"usage":{"prefill":1,"sample":1,"training":16384}}',
        b'{"metrics_file":"stages/.metrics-000064.jsonl.gz","learning":{"method":"sl","steps":64,"window":1,"first":1.',
        b',"last":1.,"step_sd":0.0,"travel":0.085},"usage":{"training":16384},"resumed_at":0}',
        b'"user_metadata":null,"group_size":8,"environment":"","max_tokens":256,"temperature":1.0,"stop":null,"samples":1',
        b'{"kind":"evaluate","version":1,"evaluator":{"name":"answers","version":1,"via":"forward"},"items":"',
        b'","model":"offline/ngram-s","tokenizer":"offline/characters-1","renderer":"plain","loss_mask":"last_assistant"',
        b'"Qwen/Qwen3-8B","meta-llama/Llama-3.1-8B","completion","backend":"tinker","parent":"train-',
        b'{"checkpoint":{"every_steps":null,"every_minutes":10.0,"keep":"last","ttl_days":7.0},"eval_every":null,',
        b'"validation":null,"diverged_above":50.0}{"kind":"train","version":1,"method":"sl","reduction":"token_mean",',
        b'"rank":16,"learning_rate":0.0001,"schedule":"linear","adam":{"beta1":0.9,"beta2":0.95,"eps":1e-08,',
        b'"weight_decay":0.0,"grad_clip_norm":0.0},"warmup":0,"batch_size":32,"steps":128,"seeds":{"subset":0,"order":0,',
        b'"init":0},"layers":{"mlp":true,"attn":true,"unembed":true},"parent":null,"data":{"records":"',
    ]
)


def pack(document: Mapping[str, Json] | Sequence[Json]) -> str:
    """Pack a document. `unpack` returns the same."""
    text = json.dumps(document, separators=(",", ":")).encode()
    squeeze = zlib.compressobj(9, zlib.DEFLATED, RAW, 9, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
    return MARK + base64.b85encode(squeeze.compress(text) + squeeze.flush()).decode()


def unpack(text: str | None) -> Any:
    """Unpack what `pack` packed; read plain JSON as well, and nothing as an empty document. Raises ValueError."""
    if not text or text[0] != MARK:
        return json.loads(text or "{}")
    try:
        content = base64.b85decode(text[1:])
        return json.loads(zlib.decompressobj(RAW, DICTIONARY).decompress(content))
    except zlib.error as error:
        raise ValueError(f"expected packed JSON, got other text: {error}") from None


def pack_points(points: Sequence[Mapping[str, Json]]) -> str:
    """Pack the points of a curve by column. Values have six significant digits."""
    return pack({name: [_round(point.get(name)) for point in points] for name in points[0]})


def read_points(text: str | None) -> list[dict[str, Any]]:
    """Read the points of a curve; none if there is no curve."""
    columns = unpack(text)
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _round(value: Json) -> Json:
    return float(f"{value:.6g}") if isinstance(value, float) else value


def pack_result(text: str) -> dict[str, str]:
    """Pack the result of a stage into two fields: its metrics, which verbs read, and the rest."""
    document = json.loads(text)
    metrics = document.pop("metrics", None)
    return {"metrics": json.dumps(metrics, separators=(",", ":")) if metrics else "", "result": pack(document)}


def unpack_result(metrics: str | None, rest: str | None) -> dict[str, Any]:
    """Return the result of a stage whole."""
    return {**({"metrics": json.loads(metrics)} if metrics else {}), **unpack(rest)}
