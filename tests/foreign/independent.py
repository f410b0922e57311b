"""Compute the loss of held-out chats with torch and transformers, in the foreign server's environment.

`independent.py MODEL CHATS` prints the mean over the tokens of the last answers, in nats; the end
of the turn is one.
"""

import json
import sys
from pathlib import Path

import torch
from transformers import AutoTokenizer, Qwen3ForCausalLM


def loss(model_folder: Path, chats: Path) -> float:
    """Of what stands behind the prompt, through the end of the turn."""
    tokenizer, model = AutoTokenizer.from_pretrained(model_folder), Qwen3ForCausalLM.from_pretrained(model_folder)
    total, count = 0.0, 0
    for line in chats.read_text().splitlines():
        messages = json.loads(line)["messages"]
        prompt = tokenizer.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
        whole = prompt + messages[-1]["content"] + "<|im_end|>"
        start = len(tokenizer.encode(prompt, add_special_tokens=False))
        tokens = torch.tensor([tokenizer.encode(whole, add_special_tokens=False)])
        with torch.no_grad():
            logprobs = torch.log_softmax(model(input_ids=tokens).logits[0].double(), dim=-1)
        learnt = tokens[0, start:]
        total -= logprobs[start - 1 : -1].gather(1, learnt[:, None]).sum().item()
        count += len(learnt)
    return total / count


if __name__ == "__main__":
    sys.stdout.write(f"{loss(Path(sys.argv[1]), Path(sys.argv[2]))}\n")
