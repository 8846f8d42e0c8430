# SPDX-License-Identifier: Apache-2.0
"""Models of the library `transformers`, built small from their configurations: random weights, nothing downloaded.

What the suite `transformers` was exported from. Needed only to make it anew:
python -m trimtab.problems.device_placement.workload.shipping --transformers [FAMILY...]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import nn

from trimtab.core.errors import UnknownName
from trimtab.core.extras import need

Made = tuple[nn.Module, tuple[torch.Tensor, ...]]

WORDS: Final = 4000
EXPERTS: Final = "batched_mm"  # torch has grouped products of bfloat16 only where a training step is traced


class FirstOutput(nn.Module):
    """A model of transformers as a function of tensors: inputs by name, the first of its outputs."""

    def __init__(self, model: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.names = model, names

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.model(**dict(zip(self.names, inputs, strict=True)), return_dict=False)[0]  # type: ignore[no-any-return]


def build(config: str, model: str, *names: str, **options: Any) -> FirstOutput:
    """The model of that class, of the configuration class with `options`."""
    library = need("transformers", extra="transformers", purpose="building models from configurations")
    return FirstOutput(getattr(library, model)(getattr(library, config)(**options)), names)


def _words(*shape: int) -> torch.Tensor:
    return torch.randint(0, WORDS, shape)


def _gpt2() -> Made:
    off = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0, "use_cache": False}
    size = {"n_embd": 256, "n_layer": 4, "n_head": 8, "n_positions": 128, "vocab_size": WORDS}
    off |= {"bos_token_id": 0, "eos_token_id": 0}
    return build("GPT2Config", "GPT2LMHeadModel", "input_ids", **size, **off), (_words(4, 128),)


def _bert() -> Made:
    off = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    size = {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 8, "intermediate_size": 1024}
    return build("BertConfig", "BertForMaskedLM", "input_ids", vocab_size=WORDS, **size, **off), (_words(4, 128),)


def _vit() -> Made:
    off = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    size = {"hidden_size": 192, "num_hidden_layers": 4, "num_attention_heads": 6, "intermediate_size": 768}
    picture = {"image_size": 96, "patch_size": 8}
    return build("ViTConfig", "ViTModel", "pixel_values", **size, **picture, **off), (torch.randn(4, 3, 96, 96),)


def _swin() -> Made:
    off = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "drop_path_rate": 0.0}
    size = {"embed_dim": 48, "depths": [2, 2, 2], "num_heads": [2, 4, 8], "window_size": 6}
    picture = {"image_size": 96, "patch_size": 4}
    return build("SwinConfig", "SwinModel", "pixel_values", **size, **picture, **off), (torch.randn(4, 3, 96, 96),)


def _llama(config: str = "Llama", words: int = 96, **more: Any) -> Made:
    size = {
        "hidden_size": 256, "num_hidden_layers": 3, "num_attention_heads": 8, "num_key_value_heads": 4,
        "intermediate_size": 512, "vocab_size": WORDS, "use_cache": False,
    }  # fmt: skip
    return build(f"{config}Config", f"{config}ForCausalLM", "input_ids", **{**size, **more}), (_words(4, words),)


def _mixtral() -> Made:
    few = {"hidden_size": 128, "intermediate_size": 256, "experts_implementation": EXPERTS}
    return _llama("Mixtral", num_local_experts=4, num_experts_per_tok=2, words=48, **few)


def _qwen_moe() -> Made:
    return _llama(
        "Qwen2Moe", num_experts=6, num_experts_per_tok=2, moe_intermediate_size=128, hidden_size=128,
        shared_expert_intermediate_size=256, experts_implementation=EXPERTS, words=48,
    )  # fmt: skip


def _t5() -> Made:
    size = {
        "d_model": 256, "d_kv": 32, "d_ff": 512, "num_layers": 3, "num_heads": 8, "dropout_rate": 0.0,
        "vocab_size": WORDS, "use_cache": False, "decoder_start_token_id": 0,
    }  # fmt: skip
    made = build("T5Config", "T5ForConditionalGeneration", "input_ids", "decoder_input_ids", **size)
    return made, (_words(4, 64), _words(4, 64))


def _whisper() -> Made:
    off = {"dropout": 0.0, "encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0, "use_cache": False}
    size = {
        "d_model": 192, "encoder_layers": 3, "encoder_attention_heads": 6, "encoder_ffn_dim": 768, "decoder_layers": 3,
        "decoder_attention_heads": 6, "decoder_ffn_dim": 768, "vocab_size": WORDS, "max_source_positions": 100,
        "max_target_positions": 64, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
        "decoder_start_token_id": 1,
    }  # fmt: skip
    names = ("input_features", "decoder_input_ids")
    made = build("WhisperConfig", "WhisperForConditionalGeneration", *names, **size, **off)
    return made, (torch.randn(4, 80, 200), _words(4, 48))


#: Of each family, how it is made.
MODELS: Final[Mapping[str, Callable[[], Made]]] = {
    "gpt2": _gpt2, "bert": _bert, "vit": _vit, "swin": _swin, "llama": _llama, "mixtral": _mixtral,
    "qwen_moe": _qwen_moe, "t5": _t5, "whisper": _whisper,
}  # fmt: skip


def make(family: str) -> Made:
    """A module of the family with random weights, the same every time, and inputs for it."""
    if family not in MODELS:
        raise UnknownName("family of transformers", family, MODELS)
    torch.manual_seed(0)
    return MODELS[family]()
