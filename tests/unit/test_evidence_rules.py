"""The rename map as rules: readable, and true of every pair they cover."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinprint.lineage.evidence.weights.rules import rename_rules
from kinprint.lineage.verdict import TensorPair

if TYPE_CHECKING:
    from kinprint.lineage.evidence.record import RenameRule

PARTS = (
    "self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.o_proj.weight",
    "mlp.up_proj.weight", "mlp.down_proj.weight", "input_layernorm.weight",
)  # fmt: skip
TOKEN = re.compile(r"\{\{|\}\}|\{…\}|\{(?P<letter>[a-z])(?:=(?P<low>\d+)…(?P<high>\d+))?\}")
VALUE = re.compile(r"\{\{|\}\}|\{…\}|\{([a-z])([+-]\d+)?\}")


def pairs_of(mapping: dict[str, str]) -> list[TensorPair]:
    return [TensorPair(repo_tensor=a, match_tensor=b, hamming_bits=0) for a, b in mapping.items()]


def layers(prefix: str, count: int, parts: tuple[str, ...] = PARTS) -> list[str]:
    return [f"{prefix}.{layer}.{part}" for layer in range(count) for part in parts]


class Reader:
    """What a reader of a rule's two patterns makes of keys."""

    def __init__(self, rule: RenameRule) -> None:
        self.rule = rule
        self.bounds: dict[str, tuple[int, int]] = {}
        expression, place = "", 0
        for token in TOKEN.finditer(rule.repo_pattern):
            expression += re.escape(rule.repo_pattern[place : token.start()])
            place = token.end()
            if token["letter"]:
                expression += rf"(?P<{token['letter']}>(?<![0-9])(?:0|[1-9][0-9]{{0,8}})(?![0-9]))"
                low, high = int(token["low"] or 0), int(token["high"] or 10**9)
                self.bounds[token["letter"]] = (low, high)
            else:
                expression += {"{{": r"\{", "}}": r"\}", "{…}": "(?P<rest>.*)"}[token[0]]
        self.expression = re.compile(expression + re.escape(rule.repo_pattern[place:]), re.DOTALL)

    def partner_of(self, key: str) -> str | None:
        """The key's partner by this rule; None if the rule does not speak of the key."""
        found = self.expression.fullmatch(key)
        if not found:
            return None
        if any(not low <= int(found[n]) <= high for n, (low, high) in self.bounds.items()):
            return None

        def value(token: re.Match[str]) -> str:
            if token[1]:
                return str(int(found[token[1]]) + int(token[2] or 0))
            rest = found.groupdict().get("rest", "")
            return {"{{": "{", "}}": "}", "{…}": rest}[token[0]]

        return VALUE.sub(value, self.rule.match_pattern)


def check(pairs: list[TensorPair]) -> tuple[dict[str, tuple[str, int]], set[str]]:
    """Rules and exceptions say what the rename map says, no more and no less."""
    rules, exceptions = rename_rules(pairs)
    left = list(exceptions)
    readers = [Reader(rule) for rule in rules]
    covered = [0] * len(rules)
    for pair in pairs:
        if pair in left:
            left.remove(pair)
            continue
        answers = [reader.partner_of(pair.repo_tensor) for reader in readers]
        speaking = [place for place, answer in enumerate(answers) if answer is not None]
        assert len(speaking) == 1, (pair, rules)
        assert answers[speaking[0]] == pair.match_tensor, (pair, rules[speaking[0]])
        covered[speaking[0]] += 1
    assert left == []
    assert covered == [rule.tensors for rule in rules]
    assert all(first.tensors >= second.tensors for first, second in pairwise(rules))
    as_dict = {rule.repo_pattern: (rule.match_pattern, rule.tensors) for rule in rules}
    return as_dict, {pair.repo_tensor for pair in exceptions}


def test_a_foreign_prefix_is_one_rule() -> None:
    keys = ["lm_head.weight", "model.embed_tokens.weight", *layers("model.layers", 8)]
    rules, exceptions = check(pairs_of({f"llm.{key}": key for key in keys}))
    assert rules == {"llm.{…}": ("{…}", 50)}
    assert exceptions == set()


def test_equal_names_are_one_rule() -> None:
    keys = ["lm_head.weight", *layers("model.layers", 4)]
    assert check(pairs_of({key: key for key in keys})) == ({"{…}": ("{…}", 25)}, set())


def test_another_scheme_is_one_rule_a_kind_of_tensor() -> None:
    mapping = {"tok.weight": "model.embed_tokens.weight"}
    for layer in range(5):
        mapping[f"blk.{layer}.q.weight"] = f"model.layers.{layer}.self_attn.q_proj.weight"
        mapping[f"blk.{layer}.q.bias"] = f"model.layers.{layer}.self_attn.q_proj.bias"
        mapping[f"blk.{layer}.up.weight"] = f"model.layers.{layer}.mlp.up_proj.weight"
    rules, exceptions = check(pairs_of(mapping))
    assert rules == {
        "blk.{n}.q.{…}": ("model.layers.{n}.self_attn.q_proj.{…}", 10),
        "blk.{n}.up.weight": ("model.layers.{n}.mlp.up_proj.weight", 5),
        "tok.weight": ("model.embed_tokens.weight", 1),
    }
    assert exceptions == set()


def test_layers_taken_out_of_the_middle_are_ranges() -> None:
    mapping = {
        f"llm.layers.{layer}.{part}": f"layers.{layer if layer < 20 else layer + 5}.{part}"
        for layer in range(27)
        for part in PARTS
    }
    rules, exceptions = check(pairs_of(mapping))
    assert rules == {
        "llm.layers.{n=0…19}.{…}": ("layers.{n}.{…}", 120),
        "llm.layers.{n=20…26}.{…}": ("layers.{n+5}.{…}", 42),
    }
    assert exceptions == set()


def test_a_shift_of_all_layers_is_written_as_one() -> None:
    mapping = {f"h.{layer}.{part}": f"h.{layer + 2}.{part}" for layer in range(4) for part in PARTS}
    rules, _ = check(pairs_of(mapping))
    assert rules == {"h.{n}.{…}": ("h.{n+2}.{…}", 24)}


def test_stacked_experts_are_numbered_in_brackets() -> None:
    mapping = {
        f"layers.{layer}.experts.{expert}.up.weight": f"layers.{layer}.mlp.experts.up[{expert}]"
        for layer in range(3)
        for expert in range(4)
    }
    rules, _ = check(pairs_of(mapping))
    assert rules == {"layers.{n}.experts.{m}.up.weight": ("layers.{n}.mlp.experts.up[{m}]", 12)}


def test_a_swap_inside_a_layer_is_an_exception_and_spoils_no_rule() -> None:
    mapping = {f"llm.{key}": key for key in layers("layers", 8)}
    query, key = "llm.layers.3.self_attn.q_proj.weight", "llm.layers.3.self_attn.k_proj.weight"
    mapping[query], mapping[key] = mapping[key], mapping[query]
    rules, exceptions = check(pairs_of(mapping))
    assert rules == {"llm.{…}": ("{…}", 46)}
    assert exceptions == {query, key}


def test_layers_with_names_of_their_own_are_left_out_of_the_rule_of_the_others() -> None:
    other = {"self_attn.q_proj.weight": "self_attn.k_proj.weight"}
    other |= {there: here for here, there in other.items()}
    mapping = {f"llm.{key}": key for key in layers("layers", 8)}
    for layer in (2, 5, 6):
        for part, partner in other.items():
            mapping[f"llm.layers.{layer}.{part}"] = f"layers.{layer}.{partner}"
    rules, exceptions = check(pairs_of(mapping))
    assert rules["llm.layers.{n=0…1}.{…}"] == ("layers.{n}.{…}", 12)
    assert rules["llm.layers.{n=5…6}.self_attn.q_proj.weight"][0].endswith("k_proj.weight")
    assert all(".2." in key for key in exceptions)


def test_swapped_experts_of_a_stack_are_exceptions() -> None:
    mapping = {f"x.{n}.w[{m}]": f"y.{n}.w[{m}]" for n in range(4) for m in range(8)}
    mapping["x.2.w[3]"], mapping["x.2.w[5]"] = "y.2.w[5]", "y.2.w[3]"
    rules, exceptions = check(pairs_of(mapping))
    assert rules == {"x.{…}": ("y.{…}", 30)}
    assert exceptions == {"x.2.w[3]", "x.2.w[5]"}


def test_a_layer_that_moved_as_a_whole_has_its_own_line() -> None:
    moved = {2: 5, 5: 2}
    mapping = {
        f"llm.layers.{layer}.{part}": f"layers.{moved.get(layer, layer)}.{part}"
        for layer in range(8)
        for part in PARTS
    }
    rules, exceptions = check(pairs_of(mapping))
    assert rules["llm.layers.2.{…}"] == ("layers.5.{…}", 6)
    assert rules["llm.layers.5.{…}"] == ("layers.2.{…}", 6)
    assert rules["llm.layers.{n=3…4}.{…}"] == ("layers.{n}.{…}", 12)
    assert exceptions == set()


def test_names_that_are_mere_numbers_follow_no_rule() -> None:
    mapping = {f"p{number}": key for number, key in enumerate(layers("layers", 3))}
    rules, exceptions = check(pairs_of(mapping))
    assert sum(tensors for _, tensors in rules.values()) <= 3
    assert len(exceptions) >= 15


def test_a_key_that_occurs_twice_is_an_exception() -> None:
    pairs = pairs_of({key: key for key in layers("layers", 2)})
    twice = TensorPair(repo_tensor=pairs[0].repo_tensor, match_tensor="z", hamming_bits=1)
    _, exceptions = rename_rules([*pairs, twice])
    assert exceptions == (pairs[0], twice)


@pytest.mark.parametrize(
    "names",
    [
        ("a", "a.b", "a.b.c"),
        ("", ".", "..", "...x"),
        ("w[0]", "w[00]", "w[1]", "w{n}[1]", "{…}", "{{", "}"),
        ("x1", "x01", "x١", "x²", "x" + "9" * 40, "x" + "9" * 9, "x" + "9" * 10),
        tuple(f"x{number}000000000" for number in range(1, 5)),
        ("1.2.3.4.5.6.7.8", "1.2.3.4.5.6.7.9", "1.2.3.4.5.7.7.9"),
        (".".join("a" * 40), ".".join("a" * 40) + ".b", ".".join("a" * 39) + ".b"),
    ],
)
def test_odd_names_are_told_exactly(names: tuple[str, ...]) -> None:
    check(pairs_of({f"new.{name}": name for name in names}))
    check(pairs_of({name: f"new.{name}" for name in names}))
    check(pairs_of({name: f"{name}-new" for name in names}))
    check(pairs_of(dict(zip(names, reversed(names), strict=True))))


part = st.sampled_from(["a", "layers", "0", "1", "2", "03", "w1", "w2", "q{n}", "e[1]", "e[2]", ""])
name = st.lists(part, min_size=1, max_size=4).map(".".join)


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(name, name, max_size=25))
def test_rules_and_exceptions_say_what_the_rename_map_says(mapping: dict[str, str]) -> None:
    check(pairs_of(mapping))


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 12),
    st.dictionaries(st.integers(0, 11), st.integers(0, 11)),
    st.sampled_from(["", "llm."]),
    st.sets(st.integers(0, 71), max_size=5),
    st.randoms(use_true_random=False),
)
def test_moved_layers_and_swapped_tensors_are_told_exactly(count, moved, prefix, swapped, random):
    keys = layers("layers", count)
    mapping = {}
    for key in keys:
        _, layer, rest = key.split(".", 2)
        mapping[prefix + key] = f"layers.{moved.get(int(layer), int(layer))}.{rest}"
    chosen = [prefix + keys[place] for place in swapped if place < len(keys)]
    partners = [mapping[key] for key in chosen]
    random.shuffle(partners)
    check(pairs_of(mapping | dict(zip(chosen, partners, strict=True))))


HOSTILE = {
    "digits": lambda i: f"{'7' * 900}.{i}.{'1' * 50}{i}",
    "every character a part": lambda i: ".".join(f"{i:05d}" * 20),
    "numbers in every part": lambda i: ".".join(f"{i >> shift & 3}" for shift in range(0, 16, 2)),
    "braces and brackets": lambda i: f"{{{i}}}[{i % 7}]" * 20 + "{…}{{",
    "other scripts' digits": lambda i: f"layers.{chr(0x660 + i % 10)}{i}.{chr(0xFF10 + i % 10)}",
    "one long part": lambda i: "a" * 1000 + str(i),
}


@pytest.mark.slow
def test_twenty_thousand_hostile_names_are_told_in_passing() -> None:
    count = 20_000
    makes = list(HOSTILE.values())
    mapping = {makes[i % 6](i): makes[i * 7 % 6](i * 7919 % count) for i in range(count)}
    rules, exceptions = rename_rules(pairs_of(mapping))
    assert sum(rule.tensors for rule in rules) + len(exceptions) == len(mapping)


def test_nested_steps_do_not_grow_without_bound() -> None:
    mapping = {
        f"{i}.{j}.w": f"{'ab'[min(i, j) % 2]}.{i}.{j}.w" for i in range(40) for j in range(40)
    }
    rules, exceptions = rename_rules(pairs_of(mapping))
    assert sum(rule.tensors for rule in rules) + len(exceptions) == len(mapping)
