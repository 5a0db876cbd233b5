"""What a card says of its model, beside what was measured; no honest author is contradicted."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

import weights as w
from kinprint.checkpoints.documents import Document, Documents
from kinprint.lineage.compare import compare
from kinprint.lineage.evidence.declared.declarations import QUOTE_CHARACTERS, Declared, declared
from kinprint.lineage.evidence.declared.parties import KnownSource, Party, party_of
from kinprint.lineage.evidence.record import Declaration
from kinprint.lineage.verdict import (
    Coverage,
    Direction,
    Interval,
    Relation,
    Transform,
    Verdict,
)

EARLY = Interval(
    not_before=datetime(2024, 4, 1, tzinfo=UTC), not_after=datetime(2024, 4, 12, tzinfo=UTC)
)
LATE = Interval(
    not_before=datetime(2024, 5, 20, tzinfo=UTC), not_after=datetime(2024, 5, 21, tzinfo=UTC)
)
LATEST = Interval(
    not_before=datetime(2024, 5, 28, tzinfo=UTC), not_after=datetime(2024, 5, 29, tzinfo=UTC)
)
SUSPECT, KNOWN, OLDER = "mallory/Llama3-V", "openbmb/MiniCPM-Llama3-V-2_5", "openbmb/MiniCPM-V-2"
CONFIG = {"model_type": "minicpmv", "hidden_size": 4096, "vocab_size": 128256}


def documents(card: str | None = None, config: object = CONFIG) -> Documents:
    return Documents(
        Document(json.dumps(config).encode()),
        Document(reason="there is no README.md") if card is None else Document(card.encode()),
    )


def party(side: str, name: str, card: str | None = None, config: object = CONFIG, **facts) -> Party:
    facts = {"parameters": 8_537_000_000, "first": LATEST if side == "repo" else LATE} | facts
    return Party(side, name, (name,), documents(card, config), **facts)


def verdict(relation=Relation.DERIVED, direction=Direction.REPO_FROM_MATCH, **facts) -> Verdict:
    facts = {"shared_fraction": 1.0} | facts
    return Verdict(
        relation=relation,
        sentence=f"{SUSPECT} looks derived from {KNOWN}.",
        direction=direction,
        coverage=Coverage(models=2),
        **facts,
    )


def said(
    card: str,
    measured: Verdict | None = None,
    *,
    others_card: str | None = "# M",
    other: str = KNOWN,
    sources: tuple[KnownSource, ...] = (),
    config: object = CONFIG,
    **facts,
) -> Declared:
    return declared(
        party("repo", SUSPECT, card, config, **facts),
        party("match", other, others_card),
        measured or verdict(),
        sources,
    )


def the(found: Declared, code: str) -> Declaration:
    (declaration,) = [each for each in found.declarations if each.code == code]
    return declaration


SCRATCH = "---\nlicense: mit\n---\n# Llama3-V\n\nWe trained the model from scratch.\n"


def test_a_false_claim_is_quoted_with_its_line_beside_the_measurement() -> None:
    found = the(said(SCRATCH), "trained_from_scratch")
    assert found.outcome == "contradicts"
    assert (found.side, found.source, found.line) == ("repo", "README.md", 6)
    assert found.quote == "We trained the model from scratch."
    assert found.measured == f"{SUSPECT} looks derived from {KNOWN}."


@pytest.mark.parametrize(
    "measured",
    [
        verdict(direction=Direction.UNKNOWN),
        verdict(direction=Direction.MATCH_FROM_REPO),
        verdict(declared=True),
        *(
            verdict(relation, direction=direction)
            for relation in Relation
            if relation not in (Relation.DERIVED, Relation.SAME_WEIGHTS)
            for direction in Direction
        ),
    ],
    ids=lambda measured: f"{measured.relation}-{measured.direction}-{measured.declared}",
)
def test_from_scratch_is_not_contradicted_unless_the_weights_are_the_others(measured) -> None:
    assert the(said(SCRATCH, measured), "trained_from_scratch").outcome == "cannot_tell"


def test_the_other_side_is_not_blamed_for_what_was_taken_from_it() -> None:
    found = said("no claim", others_card=SCRATCH)
    assert the(found, "trained_from_scratch").side == "match"
    assert the(found, "trained_from_scratch").outcome == "cannot_tell"
    turned = said("", verdict(direction=Direction.MATCH_FROM_REPO), others_card=SCRATCH)
    assert the(turned, "trained_from_scratch").outcome == "contradicts"


@pytest.mark.parametrize(
    "card",
    [
        f"---\nbase_model: {KNOWN}\n---\nWe trained the model from scratch.\n",
        "We trained the projector from scratch.",
        "Llama-2 was trained from scratch.",
        "This model was trained from scratch on an unknown dataset.",
        "This model was trained from scratch on the imdb and squad datasets.",
        "It was trained from scratch by Meta.",
        "The original model was trained from scratch.",
        "We trained the model from scratch. It is based on Llama-3-8B.",
        "We trained the model from scratch.\n\nOur language model is Llama-3-8B.",
        f"---\nbase_model: {OLDER}\n---\nWe trained the model from scratch.\n",
        "Part of it was trained from scratch.",
    ],
)
def test_an_author_who_may_mean_something_else_is_not_contradicted(card: str) -> None:
    assert the(said(card), "trained_from_scratch").outcome == "cannot_tell"


@pytest.mark.parametrize(
    "card", ["This is not trained from scratch.", "Unlike models trained from scratch, it is fast."]
)
def test_a_negated_claim_is_no_claim(card: str) -> None:
    assert said(card).declarations == ()


def test_a_mirror_with_the_originals_card_is_not_contradicted() -> None:
    found = said(SCRATCH, others_card=SCRATCH)
    assert {each.outcome for each in found.declarations} == {"cannot_tell"}


def test_a_sentence_that_may_be_copied_from_an_unread_card_is_not_contradicted() -> None:
    assert the(said(SCRATCH, others_card=None), "trained_from_scratch").outcome == "cannot_tell"


def test_an_owner_who_builds_on_an_own_model_is_not_contradicted() -> None:
    found = said(SCRATCH, other="Mallory/Llama3-V-base")
    assert the(found, "trained_from_scratch").outcome == "cannot_tell"


OWN_ARCHITECTURE = "This model has our own architecture."


def test_an_own_architecture_is_contradicted_only_by_the_whole_model() -> None:
    assert the(said(OWN_ARCHITECTURE), "own_architecture").outcome == "contradicts"
    partly = verdict(shared_fraction=0.9)
    assert the(said(OWN_ARCHITECTURE, partly), "own_architecture").outcome == "cannot_tell"
    layers = verdict(transforms=(Transform(name="layers_repeated", summary="x"),))
    assert the(said(OWN_ARCHITECTURE, layers), "own_architecture").outcome == "cannot_tell"


@pytest.mark.parametrize(
    ("claimed", "outcome"),
    [("8B", "agrees"), ("7B", "agrees"), ("4B", "cannot_tell"), ("3B", "contradicts")],
)
def test_a_size_is_checked_against_the_parameters_counted(claimed: str, outcome: str) -> None:
    found = the(said(f"This is a {claimed} model."), "parameter_size")
    assert found.outcome == outcome
    assert found.claim == f"It has about {claimed} parameters."
    assert found.measured.startswith("8,537,000,000 parameters were counted")


@pytest.mark.parametrize(
    "card", ["This is a 3B model. Its sister has 9B.", "This is a 3B model.\n\n|a|\n|-|\n|8.5B|"]
)
def test_a_size_is_not_contradicted_in_a_card_shared_by_a_family(card: str) -> None:
    assert the(said(card), "parameter_size").outcome == "cannot_tell"


@pytest.mark.parametrize(
    "facts",
    [
        {"is_wholly_counted": False},
        {"declared_relation": "adapter"},
        {"config": {"architectures": []}},
        {"config": CONFIG | {"num_local_experts": 8}},
        {"parameters": 0},
    ],
    ids=str,
)
def test_a_size_is_not_contradicted_where_not_all_was_counted(facts) -> None:
    facts = {"parameters": 20_000_000} | facts
    found = said("This is an 8B model.", **facts)
    assert the(found, "parameter_size").outcome == "cannot_tell"


def test_a_declared_base_that_was_measured_agrees() -> None:
    card = f"---\nlicense: mit\nbase_model: {KNOWN}\nbase_model_relation: finetune\n---\nHi."
    found = said(card, verdict(declared=True))
    assert (the(found, "base_model").outcome, the(found, "base_model").line) == ("agrees", 3)
    assert the(found, "base_model").quote == f"base_model: {KNOWN}"
    assert the(found, "base_model_relation").line == 4
    assert found.findings == ()


def test_a_base_that_only_the_hub_lists_is_shown_without_a_line() -> None:
    found = said("Hi.", verdict(declared=True), declared_bases=(KNOWN,))
    assert (the(found, "base_model").outcome, the(found, "base_model").line) == ("agrees", None)


@pytest.mark.parametrize("relation", [Relation.UNRELATED, Relation.INSUFFICIENT])
def test_a_base_that_was_not_found_is_no_contradiction(relation) -> None:
    card = f"---\nbase_model: {KNOWN}\n---\n"
    found = said(card, verdict(relation, direction=Direction.UNKNOWN))
    assert the(found, "base_model").outcome == "cannot_tell"
    assert found.findings == ()


def known(relation: Relation | None, first: Interval = EARLY, **facts) -> KnownSource:
    relations = {} if relation is None else {"repo": relation}
    return KnownSource((OLDER,), relations, first, **facts)


def test_a_declared_base_that_does_not_explain_the_match_is_a_finding() -> None:
    card = f"---\nbase_model: {OLDER}\n---\n"
    undated = known(Relation.UNRELATED, Interval())
    found = said(card, sources=(undated,))
    assert [each.code for each in found.findings] == ["declared_base_not_measured"]
    assert OLDER in found.findings[0].summary
    assert KNOWN in found.findings[0].summary
    assert the(found, "base_model").outcome == "cannot_tell"


@pytest.mark.parametrize(
    ("relation", "said_relation", "measured"),
    [
        (None, "finetune", verdict()),
        (Relation.INSUFFICIENT, "finetune", verdict()),
        (Relation.RELATED, "finetune", verdict()),
        (Relation.UNRELATED, "adapter", verdict()),
        (Relation.UNRELATED, "quantized", verdict()),
        (Relation.UNRELATED, "finetune", verdict(Relation.RELATED, direction=Direction.UNKNOWN)),
    ],
)
def test_a_base_that_may_still_explain_it_is_no_finding(relation, said_relation, measured) -> None:
    card = f"---\nbase_model: {OLDER}\nbase_model_relation: {said_relation}\n---\n"
    found = said(card, measured, sources=(known(relation, Interval()),))
    assert found.findings == ()


TOKENIZER = "We use the tokenizer from MiniCPM-V-2.\n"


def test_a_tokenizer_from_a_model_older_than_its_vocabulary_is_a_finding() -> None:
    found = said(TOKENIZER, sources=(known(Relation.SHARES_PARTS, vocab_size=122_753),))
    assert [each.code for each in found.findings] == ["claimed_source_predates"]
    assert "128,256" in found.findings[0].summary
    assert "122,753" in found.findings[0].summary
    declaration = the(found, "part_source")
    assert declaration.claim == "Its tokenizer came from MiniCPM-V-2."
    assert (declaration.outcome, declaration.line) == ("cannot_tell", 1)
    assert declaration.measured == found.findings[0].summary


@pytest.mark.parametrize(
    ("source", "measured", "facts"),
    [
        (known(None, vocab_size=None), verdict(), {}),
        (known(None, vocab_size=128_000), verdict(), {}),
        (known(None, LATEST, vocab_size=122_753), verdict(), {}),
        (known(None, Interval(), vocab_size=122_753), verdict(), {}),
        (known(None, vocab_size=122_753), verdict(direction=Direction.UNKNOWN), {}),
        (known(None, vocab_size=122_753), verdict(declared=True), {}),
        (known(None, vocab_size=122_753), verdict(Relation.SHARES_PARTS), {}),
        (known(None, vocab_size=122_753), verdict(), {"config": {"vocab_size": 122_753}}),
        (known(None, vocab_size=122_753), verdict(), {"config": {"vocab_size": True}}),
        (
            KnownSource((OLDER,), {"match": Relation.RELATED}, EARLY, vocab_size=122_753),
            verdict(),
            {},
        ),
    ],
)
def test_a_tokenizer_that_can_be_from_the_claimed_source_is_no_finding(
    source, measured, facts
) -> None:
    assert said(TOKENIZER, measured, sources=(source,), **facts).findings == ()


def test_a_vocabulary_that_is_not_the_others_either_is_no_finding() -> None:
    other = party("match", KNOWN, "# M", CONFIG | {"vocab_size": 151_936})
    repo = party("repo", SUSPECT, TOKENIZER)
    sources = (known(None, vocab_size=122_753),)
    assert declared(repo, other, verdict(), sources).findings == ()


def test_an_ingredient_that_the_other_has_from_the_claimed_source_is_no_finding() -> None:
    found = said(
        TOKENIZER,
        others_card=f"---\nbase_model: {OLDER}\n---\n",
        sources=(known(Relation.UNRELATED, vocab_size=122_753),),
    )
    assert found.findings == ()


def test_a_source_of_the_weights_that_is_older_and_shares_none_is_a_finding() -> None:
    card = "This model is based on MiniCPM-V-2.\n"
    found = said(card, sources=(known(Relation.UNRELATED),))
    assert [each.code for each in found.findings] == ["claimed_source_predates"]
    assert the(found, "based_on").outcome == "contradicts"
    assert said(card, sources=(known(None),)).findings == ()
    assert said(card, sources=(known(Relation.RELATED),)).findings == ()
    assert the(said(card, sources=(known(Relation.RELATED),)), "based_on").outcome == "agrees"


def test_weights_that_were_elsewhere_before_their_repo_prove_nothing() -> None:
    moved = Interval(not_before=LATE.not_before, not_after=EARLY.not_before)
    repo = party("repo", SUSPECT, TOKENIZER)
    match = dataclasses.replace(party("match", KNOWN), first=moved)
    sources = (known(None, vocab_size=122_753),)
    assert declared(repo, match, verdict(), sources).findings == ()


def test_the_name_that_a_configuration_was_saved_under_is_shown() -> None:
    found = said("", config=CONFIG | {"_name_or_path": KNOWN})
    declaration = the(found, "name_or_path")
    assert (declaration.source, declaration.line) == ("config.json", None)
    assert declaration.outcome == "agrees"
    assert said("", config=CONFIG | {"_name_or_path": SUSPECT}).declarations == ()
    elsewhere = said("", config=CONFIG | {"_name_or_path": "/data/run3/checkpoint-100"})
    assert the(elsewhere, "name_or_path").outcome == "cannot_tell"


def test_what_could_not_be_read_is_named_and_the_rest_stands() -> None:
    broken = Documents(
        Document(b"[1]"), Document(b"---\n: [\n---\nWe trained this model from scratch.")
    )
    repo = dataclasses.replace(party("repo", SUSPECT), documents=broken)
    found = declared(repo, party("match", KNOWN, "# M", config=[]), verdict())
    assert the(found, "trained_from_scratch").outcome == "contradicts"
    assert the(found, "trained_from_scratch").line == 4
    assert set(found.unread) == {
        "repo config.json",
        "repo README.md front matter",
        "match config.json",
    }


def test_hostile_texts_are_cut_and_can_be_written_out() -> None:
    config = {"_name_or_path": "\ud800" * 5_000, "vocab_size": "many", "model_type": []}
    card = (
        "---\nbase_model:\n- " + "x" * 5_000 + '\n- "\\ud800"\n---\n'
        "We trained the model from scratch" + " and again" * 200 + ".\n"
    )
    found = said(card, config=config)
    assert len(found.declarations) == 4
    for each in found.declarations:
        assert len(each.quote) <= QUOTE_CHARACTERS
        assert Declaration.model_validate_json(each.model_dump_json()) == each


FRAGMENTS = st.lists(
    st.sampled_from(
        [
            "---\n", "base_model: ", "- ", KNOWN, OLDER, "\n", "\n\n", "We ", "trained ",
            "the model ", "from scratch", ". ", "based on ", "Llama-3-8B ", "tokenizer from ",
            "an 8B model", "*",
            "`", "[", "](", "<!--", "> ", "|", "\0", "\ud7ff", "从零训练", "基于", "。", "not ",
            "9" * 30,
        ]
    ),
    max_size=25,
).map("".join)  # fmt: skip


@given(
    FRAGMENTS,
    FRAGMENTS,
    st.dictionaries(
        st.sampled_from(["_name_or_path", "vocab_size"]),
        st.sampled_from([None, "", "7", "\ud7ff", KNOWN, 0, -1, 10**30, [], [1]]),
    ),
)
def test_no_text_breaks_the_section_and_no_negated_one_is_contradicted(card, other, config) -> None:
    sources = (known(Relation.UNRELATED, vocab_size=122_753),)
    found = said(card, others_card=other, config=config, sources=sources)
    for each in found.declarations:
        assert Declaration.model_validate_json(each.model_dump_json()) == each
        assert each.line is None or 1 <= each.line <= max(card.count("\n"), other.count("\n")) + 1
        assert not (each.outcome == "contradicts" and "not " in each.quote)


def test_a_party_is_made_of_a_fingerprint_and_its_documents() -> None:
    original = w.strangers(0, layers=4)
    known_model = w.fingerprint(original, KNOWN, created_at=EARLY.not_before)
    copy = w.fingerprint(w.noised(original, 0.001), SUSPECT, bases=(OLDER,))
    repo = party_of("repo", copy, documents(SCRATCH))
    match = party_of("match", known_model, documents())
    assert repo.parameters == 4 * (256 * 256 + 256)
    assert repo.is_wholly_counted
    assert repo.bases == (OLDER,)
    assert match.first == Interval(not_before=EARLY.not_before)
    found = declared(repo, match, compare(copy, known_model).verdict)
    # Nothing proves which came first, so nothing is contradicted.
    assert {each.outcome for each in found.declarations} == {"cannot_tell"}
