"""Resolve `learning_rate: auto` by a published rule, for the models and the method that it was measured on.

    rate = 5e-5 · 10 · (2000 / hidden size) ^ p        p = 0.0775 for Qwen, 0.781 for Llama

For supervised training with LoRA: ten times the rate of full fine-tuning, whatever the rank ("LoRA Without Regret",
Schulman and Thinking Machines, 2025), and the exponents of `get_lr` of tinker-cookbook. The sizes are those of its
table (0.6.1), which has the models that Tinker serves or served. Use it to begin a sweep, not instead of one.
"""

from collections.abc import Iterable, Iterator, Mapping

from sweeps.errors import PlanError
from sweeps.spec.train_section import Train

AUTO = "auto"
SOURCE = '"LoRA Without Regret" (Schulman and Thinking Machines, 2025), as tinker-cookbook has it in get_lr'
EXPONENTS = {"qwen": 0.0775, "llama": 0.781}  # of the model families that it was fitted to
HIDDEN = {
    "meta-llama/Llama-3.2-1B": 2048,
    "meta-llama/Llama-3.2-3B": 3072,
    "meta-llama/Llama-3.1-8B": 4096,
    "meta-llama/Llama-3.1-8B-Instruct": 4096,
    "meta-llama/Llama-3.1-70B": 8192,
    "meta-llama/Llama-3.3-70B-Instruct": 8192,
    "Qwen/Qwen3-4B-Instruct-2507": 2560,
    "Qwen/Qwen3-8B": 4096,
    "Qwen/Qwen3-8B-Base": 4096,
    "Qwen/Qwen3-32B": 5120,
    "Qwen/Qwen3-30B-A3B": 2048,
    "Qwen/Qwen3-30B-A3B-Base": 2048,
    "Qwen/Qwen3-30B-A3B-Instruct-2507": 2048,
    "Qwen/Qwen3-235B-A22B-Instruct-2507": 4096,
    "Qwen/Qwen3-VL-30B-A3B-Instruct": 2048,
    "Qwen/Qwen3-VL-235B-A22B-Instruct": 4096,
    "Qwen/Qwen3.5-4B": 2560,
    "Qwen/Qwen3.5-9B": 4096,
    "Qwen/Qwen3.5-9B-Base": 4096,
    "Qwen/Qwen3.5-27B": 5120,
    "Qwen/Qwen3.5-35B-A3B": 2048,
    "Qwen/Qwen3.5-35B-A3B-Base": 2048,
    "Qwen/Qwen3.5-397B-A17B": 4096,
    "Qwen/Qwen3.6-27B": 5120,
    "Qwen/Qwen3.6-35B-A3B": 2048,
    "Qwen/Qwen3.8-27B": 5120,
}
ELSEWHERE = {
    "dpo": "tinker-cookbook starts dpo at 1e-5",
    "rl": "tinker-cookbook starts rl at 1e-5 to 4e-5",
}


def choose_rate(model: str, method: str) -> float:
    """Choose the rate for `auto`, to three digits, so that it is the same on every machine.

    Raises PlanError if there is no rule.
    """
    if method in ELSEWHERE:
        problem = f"learning_rate: {AUTO} has no rule for {method}: its rule was measured for supervised training"
        raise PlanError(f"{problem}. {ELSEWHERE[method]}: write a number, or vary it")
    hidden = HIDDEN.get(_name(model))
    if hidden is None:
        raise PlanError(f"learning_rate: {AUTO} has no rule for {model} yet; write a number, or vary it")
    power = next(power for family, power in EXPONENTS.items() if family in model.lower())
    return float(f"{5e-5 * 10 * (2000 / hidden) ** power:.3g}")


def resolve_rate(train: Train, model: str, path: str = "train") -> Train:
    """Resolve the rate of a training to a number. `path` is its place in the file, for errors."""
    if train.learning_rate != AUTO:
        return train
    try:
        return train.model_copy(update={"learning_rate": choose_rate(model, train.method)})
    except PlanError as error:
        raise PlanError(f"{path}.{error}") from None


def describe_rates(rate: object, models: Iterable[str]) -> Iterator[str]:
    """Describe the rates that replace `auto` in a section of a file, for the notes of a plan."""
    for model in models if _asks(rate) else ():
        if _name(model) in HIDDEN:
            yield f"learning_rate: {AUTO} is {choose_rate(model, 'sl'):.3g} for {model}, from {SOURCE}"


def _asks(rate: object) -> bool:
    """Whether a section has the word `auto`, which no other key takes."""
    if isinstance(rate, Mapping):
        return any(_asks(value) for value in rate.values())
    return any(map(_asks, rate)) if isinstance(rate, list | tuple) else rate == AUTO


def _name(model: str) -> str:
    return model.partition(":")[0]  # behind it a variant, with another length of context
