"""Two config.json files: what had to agree is set apart from what agrees without having to."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kinprint.lineage.evidence.config.comparison import config_comparison
from kinprint.lineage.evidence.config.defaults import defaults_table
from kinprint.lineage.evidence.config.fields import FIELDS, SYNONYMS
from kinprint.lineage.evidence.record import ConfigComparison, ConfigField

LLAMA = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 4096,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-05,
    "rope_theta": 500000.0,
    "initializer_range": 0.02,
    "torch_dtype": "bfloat16",
}


def field(found: ConfigComparison, name: str) -> ConfigField:
    return next(each for each in found.fields if each.name == name)


def names(found: ConfigComparison) -> set[str]:
    return {each.name for each in found.fields}


def test_a_file_agrees_with_itself_in_another_order() -> None:
    found = config_comparison(LLAMA, dict(reversed(LLAMA.items())))
    assert all(each.equal for each in found.fields)
    assert found.renamed == 0
    assert found.free_equal == found.free_compared == 2


def test_fields_are_told_apart_by_why_they_would_agree() -> None:
    found = config_comparison(LLAMA, LLAMA)
    standing = {each.name: each.standing for each in found.fields}
    assert standing["hidden_size"] == standing["num_key_value_heads"] == "architecture"
    assert standing["model_type"] == standing["rms_norm_eps"] == "family"
    assert standing["rope_theta"] == standing["initializer_range"] == "free"
    assert standing["dtype"] == standing["architectures"] == "bookkeeping"


def test_a_position_table_is_a_shape_where_it_is_learned_and_free_where_it_is_rotary() -> None:
    bert = {"model_type": "bert", "max_position_embeddings": 512}
    llama = {"model_type": "llama", "max_position_embeddings": 512}
    name = "max_position_embeddings"
    assert field(config_comparison(bert, bert), name).standing == "architecture"
    assert field(config_comparison(llama, llama), name).standing == "free"


@pytest.mark.parametrize(
    ("name", "other"), [(name, other) for name, others in SYNONYMS.items() for other in others]
)
def test_a_renamed_field_is_found_again(name: str, other: str) -> None:
    rope = other.startswith("rope.")
    renamed = {"rope_scaling": {other[5:]: 7}} if rope else {other: 7}
    found = config_comparison({name: 7}, renamed)
    assert [each.name for each in found.fields] == [name]
    assert found.fields[0].equal
    assert found.renamed == (other.rpartition(".")[2] != name)
    assert found.fields[0].match_name == ("rope_scaling." + other[5:] if rope else other)


def test_a_nested_language_model_is_compared_with_a_flat_one() -> None:
    nested = {
        "model_type": "llama3v",
        "text_config": {"model_type": "llama", "n_embd": 4096, "rope_theta": 500000.0},
        "vision_config": {"hidden_size": 1152},
    }
    flat = {"model_type": "llama", "hidden_size": 4096, "rope_theta": 500000.0}
    found = config_comparison(nested, flat)
    assert field(found, "hidden_size").repo_name == "text_config.n_embd"
    assert field(found, "hidden_size").equal
    assert field(found, "model_type").equal
    assert field(found, "wrapper.model_type").repo_value == '"llama3v"'
    assert field(found, "vision.hidden_size").match_value is None
    assert config_comparison(flat, nested).free_equal == found.free_equal == 1


def test_what_one_file_leaves_out_is_its_familys_default() -> None:
    short = {"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32}
    full = {**short, "initializer_range": 0.02, "num_key_value_heads": 32, "head_dim": 128}
    found = config_comparison(short, full)
    assert all(each.equal for each in found.fields)
    assert field(found, "initializer_range").repo_name is None
    assert field(found, "initializer_range").repo_value == "0.02"
    # A default was not written by anybody, so it is not counted as an agreement.
    assert found.free_compared == 0


def test_no_default_is_made_up_for_an_unknown_family() -> None:
    found = config_comparison({"model_type": "own"}, {"model_type": "own", "eos_token_id": 2})
    assert field(found, "eos_token_id").repo_value is None
    assert not field(found, "eos_token_id").equal


@pytest.mark.parametrize("other", [4096.0, "4096", "4096.0", 4096])
def test_a_number_is_the_same_however_it_is_spelt(other) -> None:
    assert config_comparison({"hidden_size": 4096}, {"hidden_size": other}).fields[0].equal


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (0, False), (1, "one"), ([1], [True]), ({"a": 1}, {"b": 1})]
)
def test_what_only_looks_alike_differs(one, other) -> None:
    assert not all(each.equal for each in config_comparison({"x": one}, {"x": other}).fields)


def test_the_authors_own_fields_are_named_and_nothing_is_claimed_by_them() -> None:
    own = {**LLAMA, "slice_config": {"max_slice_nums": 9}, "query_num": 96, "use_own": True}
    found = config_comparison(own, own)
    assert "slice_config.max_slice_nums" in found.sentence
    assert "query_num" in found.sentence
    assert "use_own" not in found.sentence
    assert "rope_theta" not in found.sentence
    assert "no evidence of a relation" in found.sentence


def test_shapes_that_differ_are_named_first() -> None:
    found = config_comparison(LLAMA, {**LLAMA, "hidden_size": 5120, "torch_dtype": "float16"})
    assert [each.name for each in found.fields[:2]] == ["hidden_size", "dtype"]
    assert found.sentence.startswith("Fields that the weights' shapes depend on differ: hidden")


def test_a_field_set_twice_under_two_names_loses_neither() -> None:
    found = config_comparison({"n_embd": 1, "hidden_size": 2}, {"hidden_size": 2})
    assert field(found, "hidden_size").equal
    assert field(found, "n_embd").repo_value == "1"


def test_hostile_values_are_cut_and_can_be_written_out() -> None:
    hostile = {
        "a": "x" * 10_000,
        "\ud800": "\udfff",
        "n" * 5_000: [["y"] * 1000] * 3,
        "deep": {"a": {"b": {"c": {"d": {"e": 1}}}}},
        "hidden_size": [1],
        "num_attention_heads": -3,
        "model_type": ["llama"],
        "text_config": {"model_type": {"a": 1}, "vision_config": 3},
        "rope_scaling": "linear",
        "vision_config": "none",
    }
    found = config_comparison(hostile, {"head_dim": 3, "num_key_value_heads": 1, "eos_token_id": 1})
    for each in found.fields:
        assert max(len(each.name), len(each.repo_value or ""), len(each.repo_name or "")) <= 200
    assert ConfigComparison.model_validate_json(found.model_dump_json()) == found


@pytest.mark.slow
def test_twenty_thousand_fields_are_cut_to_the_limit_and_it_says_so() -> None:
    many = {f"k{number}": {"a": number} for number in range(20_000)}
    found = config_comparison(many, {})
    assert len(found.fields) == FIELDS
    assert "18,000 fields" in found.sentence


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "2", "gelu"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)
CONFIGS = st.dictionaries(
    st.sampled_from(
        ["model_type", "n_embd", "hidden_size", "rope_scaling", "text_config", "vision_config", "x"]
    ),
    VALUES,
)


@given(CONFIGS, CONFIGS)
def test_turning_the_sides_turns_the_answer(one, other) -> None:
    there, back = config_comparison(one, other), config_comparison(other, one)
    assert {(f.name, f.repo_value, f.match_value, f.equal) for f in there.fields} == {
        (f.name, f.match_value, f.repo_value, f.equal) for f in back.fields
    }
    assert (there.free_equal, there.free_compared, there.renamed) == (
        back.free_equal,
        back.free_compared,
        back.renamed,
    )


@given(CONFIGS)
def test_every_file_agrees_with_a_copy_of_itself(config) -> None:
    assert all(f.equal for f in config_comparison(config, json.loads(json.dumps(config))).fields)


def test_the_table_of_defaults_is_read_and_names_its_source() -> None:
    table = defaults_table()
    assert table.by_type["gpt2"]["hidden_size"] == 768
    assert table.transformers.startswith("5.")
    assert {"llama", "mistral", "qwen2", "gemma", "bert", "gpt2"} <= set(table.by_type)
