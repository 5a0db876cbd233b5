"""The public API: a dozen names at most, each documented with an example that runs."""

from __future__ import annotations

import doctest

import pytest
from safetensors.numpy import save_file

import kinprint
import weights as w


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Two folders as the examples name them, ``./known`` and ``./suspect``."""
    known = w.strangers(0)
    for name, weights in {"known": known, "suspect": w.renamed(known)}.items():
        (tmp_path / name).mkdir()
        save_file(weights, tmp_path / name / "model.safetensors")
    monkeypatch.chdir(tmp_path)


def test_the_public_api_is_a_dozen_names_at_most() -> None:
    assert len(kinprint.__all__) <= 12
    assert all(getattr(kinprint, name).__doc__ for name in kinprint.__all__)


@pytest.mark.parametrize("name", kinprint.__all__)
def test_the_example_of_every_public_name_runs(name: str, folders) -> None:
    public = getattr(kinprint, name)
    examples = doctest.DocTestParser().get_doctest(public.__doc__, {}, name, None, None)
    assert examples.examples, f"{name} has no example"
    runner = doctest.DocTestRunner(verbose=False)
    report: list[str] = []
    runner.run(examples, out=report.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_thing"):
        kinprint.no_such_thing  # noqa: B018 - the access itself is what is tested
