"""What fields of ``config.json`` mean the same, and which of them must agree in one family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Standing = Literal["architecture", "family", "free", "bookkeeping"]

FIELDS = 2_000
"""Fields of one file that are compared; the largest configurations of listed models hold 300."""

OPENED_MEMBERS = 64
"""An object of more members (a map of labels) is compared as one value."""

OPENED_DEPTH = 3

LANGUAGE_SECTIONS = ("text_config", "llm_config", "language_config", "language_model_config")
"""Sections whose fields stand beside the other file's top-level ones, without a prefix."""

SECTION_PREFIXES = {
    "vision_config": "vision.",
    "vision_tower_config": "vision.",
    "visual_config": "vision.",
    "audio_config": "audio.",
    "speech_config": "audio.",
}
WRAPPER = "wrapper."
"""Prefix of a top-level field that a language section sets as well."""

SYNONYMS = {
    "hidden_size": ("n_embd", "d_model", "dim"),
    "num_hidden_layers": ("n_layer", "n_layers", "num_layers"),
    "num_attention_heads": ("n_head", "n_heads", "num_heads", "encoder_attention_heads"),
    "num_key_value_heads": ("num_kv_heads", "n_kv_heads", "multi_query_group_num"),
    "head_dim": ("d_kv", "kv_channels", "attention_head_dim"),
    "intermediate_size": ("n_inner", "d_ff", "ffn_dim", "ffn_hidden_size"),
    "max_position_embeddings": ("n_positions", "n_ctx", "seq_length", "max_seq_len"),
    "vocab_size": ("padded_vocab_size", "n_vocab"),
    "hidden_act": ("activation_function", "hidden_activation", "activation", "dense_act_fn"),
    "rms_norm_eps": ("norm_eps",),
    "layer_norm_eps": ("layer_norm_epsilon", "layernorm_epsilon"),
    "num_local_experts": ("num_experts", "n_routed_experts"),
    "num_experts_per_tok": ("num_selected_experts", "moe_top_k"),
    "rope_theta": ("rotary_emb_base", "rope_base", "rope.rope_theta"),
    "rope_type": ("rope.rope_type", "rope.type"),
    "partial_rotary_factor": ("rotary_pct", "rope.partial_rotary_factor"),
    "attention_dropout": ("attn_pdrop", "attention_probs_dropout_prob"),
    "hidden_dropout": ("resid_pdrop", "hidden_dropout_prob", "dropout", "residual_dropout"),
    "initializer_range": ("init_std",),
    "dtype": ("torch_dtype",),
}
"""Normalised name → other names for it. Test: every ``attribute_map`` of transformers' listed
classes is among them."""

_CANONICAL = {other: name for name, others in SYNONYMS.items() for other in others}
_PREFIXES = (*dict.fromkeys(SECTION_PREFIXES.values()), WRAPPER)
_ROPE_SECTIONS = ("rope_parameters", "rope_scaling")

_ARCHITECTURE = frozenset((
    "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads",
    "head_dim", "intermediate_size", "vocab_size", "num_local_experts", "num_experts_per_tok",
    "moe_intermediate_size", "shared_expert_intermediate_size", "n_shared_experts",
    "type_vocab_size", "patch_size", "image_size", "num_channels", "projection_dim",
    "attention_bias", "mlp_bias", "bias", "tie_word_embeddings", "qkv_bias",
    "num_decoder_layers", "decoder_layers", "encoder_layers", "relative_attention_num_buckets",
    "word_embed_proj_dim", "q_lora_rank", "kv_lora_rank", "qk_rope_head_dim",
    "qk_nope_head_dim", "v_head_dim", "is_encoder_decoder", "add_cross_attention",
    "new_decoder_architecture", "multi_query", "parallel_attn", "use_parallel_residual",
    "pooler_fc_size", "is_gated_act",
))  # fmt: skip
_FAMILY = frozenset((
    "model_type", "hidden_act", "rms_norm_eps", "layer_norm_eps", "position_embedding_type",
    "rope_type", "feed_forward_proj", "partial_rotary_factor", "scale_attn_weights",
    "do_layer_norm_before", "is_decoder", "use_qk_norm", "query_pre_attn_scalar",
    "attn_logit_softcapping", "final_logit_softcapping", "alibi",
    "scale_attn_by_inverse_layer_idx", "apply_residual_connection_post_layernorm",
))  # fmt: skip
_BOOKKEEPING = frozenset((
    "dtype", "transformers_version", "_name_or_path", "architectures", "auto_map",
    "_commit_hash", "use_cache", "return_dict", "output_attentions", "output_hidden_states",
    "id2label", "label2id", "problem_type", "chunk_size_feed_forward", "torchscript",
    "use_bfloat16", "_attn_implementation", "_attn_implementation_autoset",
    "attn_implementation", "gradient_checkpointing", "pruned_heads", "reorder_and_upcast_attn",
    "_flash_attn_2_enabled", "use_flash_attn", "unsloth_version", "unsloth_fixed",
    "_experts_implementation",
))  # fmt: skip
LEARNED_POSITIONS = frozenset((
    "bert", "roberta", "xlm-roberta", "distilbert", "gpt2", "opt", "electra", "camembert",
    "albert", "mpnet", "siglip_vision_model", "clip_vision_model",
))  # fmt: skip
"""Model types whose position table is a weight, so that its length is a shape."""


@dataclass(frozen=True)
class Setting:
    """One field of one file.

    Attributes:
        path: Where it stands in the file, ``text_config.hidden_size``.
        value: As parsed.
    """

    path: str
    value: object


def settings_of(config: Mapping[str, object]) -> tuple[dict[str, Setting], int]:
    """Bring a configuration to normalised names.

    A language section takes the plain names, whether or not the other file nests; vision and
    audio sections get the prefixes of `SECTION_PREFIXES`; a top-level field that the language
    section sets too gets `WRAPPER`. Fields that are null count as not set.

    Returns:
        Settings by normalised name, at most `FIELDS`; and how many were left out.
    """
    section = next((s for s in LANGUAGE_SECTIONS if isinstance(config.get(s), dict)), None)
    inner = config[section] if section is not None else {}
    assert isinstance(inner, dict)
    flat = list(_flattened(config, inner, section))
    found: dict[str, Setting] = {}
    # A file that uses a normalised name means that field by it, whatever synonym it also holds.
    for wants_exact in (True, False):
        for name, setting in flat:
            normalised = _normalised(name)
            if (normalised == name) is not wants_exact:
                continue
            if len(found) < FIELDS:
                found.setdefault(name if normalised in found else normalised, setting)
    return found, max(0, len(flat) - FIELDS)


def _flattened(
    config: Mapping[str, object], inner: Mapping[str, object], section: str | None
) -> Iterator[tuple[str, Setting]]:
    if section is not None:
        for name, setting in _opened(inner, 1):
            yield name, Setting(f"{section}.{setting.path}", setting.value)
    for key, value in config.items():
        prefix = SECTION_PREFIXES.get(key)
        if key == section:
            continue
        if prefix is not None and isinstance(value, dict):
            for name, setting in _opened(value, 1):
                yield prefix + name, Setting(f"{key}.{setting.path}", setting.value)
            continue
        for name, setting in _opened({key: value}, 0):
            yield (WRAPPER + name if key in inner else name), setting


def _opened(fields: Mapping[str, object], depth: int) -> Iterator[tuple[str, Setting]]:
    """Yield the leaves of an object, named by their path."""
    for key, value in fields.items():
        if value is None:
            continue
        small = isinstance(value, dict) and 0 < len(value) <= OPENED_MEMBERS
        if not isinstance(value, dict) or not small or depth >= OPENED_DEPTH:
            yield key, Setting(key, value)
            continue
        named = "rope" if key in _ROPE_SECTIONS else key
        for name, setting in _opened(value, depth + 1):
            yield f"{named}.{name}", Setting(f"{key}.{setting.path}", setting.value)


def _normalised(name: str) -> str:
    prefix = prefix_of(name)
    plain = name.removeprefix(prefix)
    return prefix + _CANONICAL.get(plain, plain)


def prefix_of(name: str) -> str:
    """Return the prefix of a normalised name's section, empty for the language model's."""
    return next((prefix for prefix in _PREFIXES if name.startswith(prefix)), "")


def standing_of(name: str, model_types: frozenset[str]) -> Standing:
    """Say why two files would agree in a field.

    Args:
        name: Normalised, with its prefix.
        model_types: ``model_type`` of both files (of the section, for a prefixed field).
    """
    plain = name.removeprefix(prefix_of(name))
    if plain in _BOOKKEEPING:
        return "bookkeeping"
    if plain in _FAMILY:
        return "family"
    has_table = bool(model_types & LEARNED_POSITIONS)
    if plain in _ARCHITECTURE or (plain == "max_position_embeddings" and has_table):
        return "architecture"
    return "free"
