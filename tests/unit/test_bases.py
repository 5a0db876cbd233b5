"""The shipped list of base models: valid, without doubles, each with the document it came from."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest

from kinprint.errors import UsageError
from kinprint.service.bases import BaseList, load_bases

PROMISED = 180
MAIN_FAMILIES = {
    "llama", "mistral", "qwen", "gemma", "phi", "falcon", "gpt-neox", "gpt2", "opt", "bloom", "mpt",
    "olmo", "granite", "deepseek", "yi", "baichuan", "internlm", "glm", "stablelm", "starcoder",
    "codegen", "cohere", "nemotron", "smollm", "minicpm", "t5", "bart", "bert", "embedding",
    "speech", "clip", "vision", "sam", "vlm", "diffusion", "music", "science", "recurrent",
}  # fmt: skip


@pytest.fixture(scope="module")
def bases() -> BaseList:
    """Loading checks every repo id."""
    return load_bases()


def test_the_list_is_dated_and_long_enough(bases: BaseList) -> None:
    assert bases.dated >= date(2026, 11, 23)
    assert len(bases.base) >= PROMISED


def test_no_repo_is_listed_twice(bases: BaseList) -> None:
    listed = Counter(base.repo.lower() for base in bases.base)
    assert [repo for repo, times in listed.items() if times > 1] == []


def test_every_repo_comes_from_a_public_document(bases: BaseList) -> None:
    assert {base.source.scheme for base in bases.base} == {"https"}
    assert [base.repo for base in bases.base if not base.source.path] == []


def test_the_main_families_are_there(bases: BaseList) -> None:
    assert {base.family for base in bases.base} >= MAIN_FAMILIES


def test_the_base_of_the_llama3_v_case_is_there(bases: BaseList) -> None:
    assert "openbmb/MiniCPM-Llama3-V-2_5" in {base.repo for base in bases.base}


def test_a_list_of_ones_own_is_checked_before_anything_is_requested(tmp_path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'dated = "2026-11-23"\n[[base]]\nrepo = "../etc"\nfamily = "x"\n'
        'source = "https://example.org/models"\n'
    )
    with pytest.raises(UsageError):
        load_bases(path)
