"""Tiny sentence-transformers models with random weights, of the kinds that people use, saved to a folder.

torch takes seconds to import: only where a model is made, not wherever a test is collected.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from router.embed.export import SAMPLES

WIDTH = 32
_SIZES: dict[str, Any] = {"hidden_size": WIDTH, "num_hidden_layers": 2, "num_attention_heads": 4}
_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]


def save_bert_cls(folder: Path) -> Path:
    """BERT, the vector of the first token, a dense layer to 16 numbers, unit length."""
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize
    from transformers import BertConfig, BertModel

    model = BertModel(BertConfig(vocab_size=600, intermediate_size=64, max_position_embeddings=64, **_SIZES))
    return _save(folder, model, _tokenizer(64), "cls", [Dense(WIDTH, 16), Normalize()])


def save_roberta_mean(folder: Path, **config: Any) -> Path:
    """XLM-RoBERTa, whose positions start behind the padding's number, the mean of the tokens."""
    from transformers import XLMRobertaConfig, XLMRobertaModel

    sizes = {"vocab_size": 600, "intermediate_size": 64, "max_position_embeddings": 66, "pad_token_id": 1}
    return _save(folder, XLMRobertaModel(XLMRobertaConfig(**sizes, **_SIZES)), _tokenizer(64), "mean", [], **config)


def save_qwen_last(folder: Path) -> Path:
    """Qwen3, which reads from left to right and is padded on the left: the vector of the last token."""
    from sentence_transformers.sentence_transformer.modules import Normalize
    from transformers import Qwen3Config, Qwen3Model

    sizes = {"vocab_size": 600, "intermediate_size": 64, "max_position_embeddings": 64, "num_key_value_heads": 2}
    model = Qwen3Model(Qwen3Config(head_dim=8, **sizes, **_SIZES))
    prompts = {"query": "Instruct: find the tool\nQuery: ", "document": ""}
    return _save(folder, model, _tokenizer(64, padding_side="left"), "lasttoken", [Normalize()], prompts=prompts)


def _save(folder: Path, model: Any, tokenizer: Any, pooling: str, rest: list[Any], **config: Any) -> Path:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    torch.manual_seed(7)
    for parameter in model.parameters():
        if parameter.ndim > 1:  # large enough that texts differ
            torch.nn.init.normal_(parameter, std=0.5)
    model.save_pretrained(folder / "parts")
    tokenizer.save_pretrained(folder / "parts")
    whole = SentenceTransformer(
        modules=[Transformer(str(folder / "parts")), Pooling(WIDTH, pooling), *rest], device="cpu", **config
    )
    whole.save(str(folder / "model"))
    return folder / "model"


def _tokenizer(longest: int, **options: Any) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE(unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=_SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(SAMPLES, trainer)
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        pad_token="<pad>",
        unk_token="<unk>",
        eos_token="</s>",
        model_max_length=longest,
        **options,
    )
