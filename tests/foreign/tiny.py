"""Make a small Qwen3 with its tokenizer, in the environment of the foreign server: `tiny.py FOLDER`.

It is trained for a minute on Python's manual, so that a training has something to begin with. Only
its size is ours: the architecture and the file format are those of transformers.
"""

import pydoc_data.topics
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

END, BEGIN_TURN, END_TURN = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
VOCABULARY, LENGTH, BATCH, STEPS, RATE = 512, 96, 32, 400, 3e-3


def make(folder: Path) -> None:
    """A folder as the hub has them: config, weights, tokenizer."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    text = "\n".join(pydoc_data.topics.topics.values())
    tokenizer = train_tokenizer(text)
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=96,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=24,
        max_position_embeddings=512,
        tie_word_embeddings=False,
        bos_token_id=0,
        eos_token_id=2,
    )
    model = Qwen3ForCausalLM(config)
    train_model(model, torch.tensor(tokenizer.encode(text, add_special_tokens=False)))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def train_tokenizer(text: str) -> PreTrainedTokenizerFast:
    """A byte-level BPE with the marks of a chat."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    marks = [END, BEGIN_TURN, END_TURN]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=marks, initial_alphabet=alphabet)
    made.train_from_iterator([text], trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token=END_TURN, pad_token=END, extra_special_tokens=[BEGIN_TURN]
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def train_model(model: Qwen3ForCausalLM, tokens: torch.Tensor) -> None:
    """Next-token prediction on random windows of the text, the rate falling to nothing."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    for step in range(STEPS):
        starts = torch.randint(len(tokens) - LENGTH, (BATCH,))
        window = torch.stack([tokens[start : start + LENGTH] for start in starts.tolist()])
        loss = model(input_ids=window, labels=window).loss
        for group in optimizer.param_groups:
            group["lr"] = RATE * (1 - step / STEPS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0 or step == STEPS - 1:
            sys.stderr.write(f"step {step}: {loss.item():.3f} nats per token\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]))
