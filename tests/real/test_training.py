"""What two trainings share is never taken for a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from demo.cast import original_folder
from demo.corpus import docstrings
from demo.training import Schedule, train_on_masked_words
from tokenizers import Tokenizer
from transformers import BertModel

from kinprint.lineage.compare import compare
from kinprint.lineage.verdict import Relation
from real import variants
from real.twins import LENGTHS, Twins, train_twins

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from demo.cast import Cast

    from kinprint.fingerprint.record import Fingerprint
    from real.reading import Read

AT_MOST_RELATED = {Relation.RELATED, Relation.UNRELATED}


@pytest.fixture(scope="module", autouse=True)
def one_thread_each() -> Iterator[None]:
    """Two models train at once; torch's own threads on top would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def texts() -> tuple[str, ...]:
    return docstrings()


@pytest.fixture(scope="module")
def twins(texts: Sequence[str]) -> Twins:
    return train_twins(texts)


@pytest.mark.parametrize("length", range(len(LENGTHS)), ids=[f"{n} steps" for n in LENGTHS])
@pytest.mark.parametrize("same_length", [True, False])
def test_two_trainings_from_one_seed_are_never_more_than_related(
    length: int,
    same_length: bool,
    twins: Twins,
    read: Read,
) -> None:
    first, second = twins
    one, other = first[length], second[length if same_length else length - 1]
    verdict = compare(read(variants.renamed(one)), read(other)).verdict
    assert verdict.relation in AT_MOST_RELATED
    assert verdict.reason is not None or verdict.relation is Relation.UNRELATED


def test_two_undeclared_children_of_an_unread_base_are_never_more_than_related(
    cast: Cast, texts: Sequence[str], child_print: Fingerprint, read: Read
) -> None:
    sibling = BertModel.from_pretrained(original_folder())
    train_on_masked_words(
        sibling,
        Tokenizer.from_file(str(original_folder() / "tokenizer.json")),
        texts[::3],
        Schedule(steps=60, learning_rate=5e-5, batch=6, tokens=20, seed=3),
        lambda step, loss: None,
    )
    verdict = compare(child_print, read(variants.renamed(sibling.state_dict()))).verdict
    assert verdict.relation is Relation.RELATED
    assert verdict.reason is not None
