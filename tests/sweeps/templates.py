"""Chat templates of several styles, in our own words, on a tokenizer that is built here: no hub is asked."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Raw

from scheduler.plugins.tokenizers import PretrainedTokenizer

CONTROLS = ("<|begin|>", "<|im_start|>", "<|im_end|>", "<|head|>", "<|/head|>", "<|eot|>", "<|eos|>")
TEXT = "user assistant system tool the a of hello yes no answer question 12 34 {}[]\"':,. <think> </think>\n\n" * 3

CHATML = """
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\n' + (message.content or '') }}
{%- for call in message.tool_calls or [] %}
{{- '\n<call>' + (call.function | tojson) + '</call>' }}
{%- endfor %}
{{- '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""

HEADERS = """
{{- bos_token }}
{%- for message in messages %}
{{- '<|head|>' ~ message['role'] ~ '<|/head|>\n\n' ~ message['content'] | trim ~ '<|eot|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|head|>assistant<|/head|>\n\n' }}{% endif %}"""

TOOLS = """
{%- if tools or messages[0].role == 'system' %}
{{- '<|im_start|>system\n' }}
{%- if messages[0].role == 'system' %}{{ messages[0].content }}{% endif %}
{%- for tool in tools or [] %}{{ '\nThere is the tool ' ~ tool | tojson }}{% endfor %}
{{- '<|im_end|>\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == 'tool' %}
{{- '<|im_start|>user\n<result>' ~ message.content ~ '</result><|im_end|>\n' }}
{%- elif message.role != 'system' %}
{{- '<|im_start|>' ~ message.role ~ '\n' ~ (message.content or '') }}
{%- for call in message.tool_calls or [] %}
{{- '<call>' ~ call.function.name ~ call.function.arguments | tojson ~ '</call>' }}
{%- endfor %}
{{- '<|im_end|>\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""

FORGETFUL = """
{%- for message in messages %}
{%- set said = message.content %}
{%- if message.role == 'assistant' and not loop.last and '</think>' in said %}
{%- set said = said.split('</think>')[-1].lstrip() %}
{%- endif %}
{{- '<|im_start|>' ~ message.role ~ '\n' ~ said ~ '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""

MARKED = """
{%- for message in messages %}
{{- '<|im_start|>' ~ message.role ~ '\n' }}
{%- if message.role == 'assistant' %}
{%- generation %}{{ message.content }}{% endgeneration %}{{ '<|im_end|>\n' }}
{%- else %}{{ message.content ~ '<|im_end|>\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""

COLONS = """
{%- for message in messages %}
{{- message.role ~ ':\n' ~ message.content ~ (eos_token if message.role == 'assistant' else '\n') }}
{%- endfor %}
{%- if add_generation_prompt %}{{ 'assistant:\n' }}{% endif %}"""

# Its prompt opens a thought, and what has none is written with an empty one, if it is the last.
THINKING = """
{%- for message in messages %}
{{- '<|im_start|>' ~ message.role ~ '\n' }}
{%- if message.role == 'assistant' and loop.last %}
{{- '<think>\n' ~ (message.reasoning_content or '') ~ '\n</think>\n\n' }}
{%- endif %}
{{- message.content ~ '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|im_start|>assistant\n<think>\n' }}
{%- if enable_thinking is defined and not enable_thinking %}{{ '\n</think>\n\n' }}{% endif %}
{%- endif %}"""

STYLES: Mapping[str, str] = {
    "chatml": CHATML,
    "headers": HEADERS,
    "tools": TOOLS,
    "forgetful": FORGETFUL,
    "marked": MARKED,
    "colons": COLONS,
}
ENDS = {name: {"headers": "<|eot|>", "colons": "<|eos|>"}.get(name, "<|im_end|>") for name in STYLES}


@cache
def _raw() -> Raw:
    """A byte-level BPE that merges: words, and line breaks with each other."""
    raw = Raw(models.BPE())
    words = Regex(r" ?[^\s<>|]+|[<>|/]+|\s*[\r\n]+|\s+")  # line breaks are kept apart from the word that follows
    split = pre_tokenizers.Split(words, behavior="isolated")
    raw.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False)
    raw.train_from_iterator([TEXT], trainer)
    return raw


@cache
def speaking(template: str | None) -> PretrainedTokenizer:
    """The tokenizer with this chat template (a name of STYLES, or a template), or with none."""
    return PretrainedTokenizer("local", make_tokenizer(template))


def make_tokenizer(template: str | None) -> Any:
    """The same as transformers has it, which can be saved."""
    source = STYLES.get(template, template) if template is not None else None
    from transformers import PreTrainedTokenizerFast  # it takes a second, which who only collects tests need not wait

    make: Any = PreTrainedTokenizerFast  # it has no types
    made = make(
        tokenizer_object=Raw.from_str(_raw().to_str()),
        bos_token="<|begin|>",
        eos_token="<|eos|>",
        additional_special_tokens=list(CONTROLS[1:-1]),
    )
    made.chat_template = source
    return made


def chat(*texts: str, system: str | None = None) -> list[dict[str, Any]]:
    """A chat of user and assistant in turns."""
    turns = [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]
    return [*([] if system is None else [{"role": "system", "content": system}]), *turns]


def answers(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    return [message["content"] for message in messages if message["role"] == "assistant"]
