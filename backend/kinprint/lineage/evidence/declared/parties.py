"""What is known of each model that statements are checked against."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from kinprint.checkpoints.card import FrontMatter, front_matter
from kinprint.lineage.evidence.config.fields import Setting, settings_of
from kinprint.lineage.evidence.declared.model_names import is_same
from kinprint.lineage.evidence.declared.prose import sentences_of
from kinprint.lineage.evidence.declared.statements import Statement, sizes_in, statements_in
from kinprint.lineage.verdict import Interval, Relation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kinprint.checkpoints.documents import Documents
    from kinprint.fingerprint.record import Fingerprint
    from kinprint.lineage.evidence.record import SideName

_WHOLLY_COUNTED = ("tied to", "no elements", "I64", "BOOL")
"""Why a tensor is skipped although the float parameters are counted whole (a mask, positions)."""


@dataclass(frozen=True)
class Party:
    """One of the two compared models.

    Attributes:
        side: Which.
        name: What sentences call it.
        names: All its ids; of a local model the name of its folder.
        documents: What it says of itself.
        declared_bases: As the Hub lists them, which the card need not repeat.
        declared_relation: ``finetune``, ``adapter`` … or None.
        parameters: Float parameters counted in its weights.
        is_wholly_counted: No packed or unreadable tensor is left out of that.
        first: When its weights were published.
    """

    side: SideName
    name: str
    names: tuple[str, ...]
    documents: Documents
    declared_bases: tuple[str, ...] = ()
    declared_relation: str | None = None
    parameters: int = 0
    is_wholly_counted: bool = True
    first: Interval = field(default_factory=Interval)

    @cached_property
    def front_matter(self) -> FrontMatter:
        """What its card declares above the prose."""
        return FrontMatter() if self.documents.card is None else front_matter(self.documents.card)

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """What its card states in prose."""
        card = self.documents.card
        if card is None:
            return ()
        return statements_in(sentences_of(card, skip_characters=self.front_matter.end), self.names)

    @cached_property
    def sizes_mentioned(self) -> frozenset[float]:
        """Every number of parameters that its names and its card mention, of whatever model."""
        return sizes_in(" ".join((*self.names, self.documents.card or "")))

    @cached_property
    def settings(self) -> Mapping[str, Setting]:
        """Its configuration by normalised names."""
        config = self.documents.config
        return {} if config is None else settings_of(config)[0]

    @property
    def vocab_size(self) -> int | None:
        """Entries of its vocabulary, as its configuration says."""
        return vocab_size_of(self.settings)

    @property
    def bases(self) -> tuple[str, ...]:
        """All bases that it declares, in its card or as the Hub lists them."""
        listed = (*(base.text for base in self.front_matter.bases), *self.declared_bases)
        return tuple(dict.fromkeys(listed))

    @property
    def bases_named(self) -> tuple[str, ...]:
        """All models that it declares, or names in its prose, as what it was made from."""
        stated = (
            statement.name
            for statement in self.statements
            if statement.code == "based_on" or statement.part == "language_model"
        )
        return (*self.bases, *(name for name in stated if name is not None))

    @property
    def owner(self) -> str | None:
        """Owner of its repo."""
        return next((n.partition("/")[0].lower() for n in self.names if "/" in n), None)


@dataclass(frozen=True)
class KnownSource:
    """A third model that a statement may name, as far as it was read.

    Attributes:
        names: Its ids.
        relation_to: What each compared model was measured to be to it; absent where it was not.
        first: When its weights were published.
        vocab_size: Entries of its vocabulary, None where its configuration was not read.
    """

    names: tuple[str, ...]
    relation_to: Mapping[SideName, Relation] = field(default_factory=dict)
    first: Interval = field(default_factory=Interval)
    vocab_size: int | None = None


def party_of(
    side: SideName, fingerprint: Fingerprint, documents: Documents, first: Interval | None = None
) -> Party:
    """Describe one side of a comparison.

    Args:
        side: Which.
        fingerprint: Its weights and origin.
        documents: What it says of itself.
        first: When its weights were published; without it, not before its repo was made.
    """
    origin = fingerprint.origin
    names = (origin.repo, *origin.aliases) if origin.repo else (origin.source.rpartition("/")[2],)
    return Party(
        side=side,
        name=origin.repo or origin.source,
        names=tuple(name for name in names if name),
        documents=documents,
        declared_bases=origin.declared_bases,
        declared_relation=origin.declared_relation,
        parameters=fingerprint.parameters,
        is_wholly_counted=all(
            skipped.reason.startswith(_WHOLLY_COUNTED) for skipped in fingerprint.skipped
        ),
        first=first or Interval(not_before=origin.created_at),
    )


def vocab_size_of(settings: Mapping[str, Setting]) -> int | None:
    """Return ``vocab_size`` where it is a number."""
    found = settings.get("vocab_size")
    if found is None or isinstance(found.value, bool) or not isinstance(found.value, int):
        return None
    return found.value


def source_named(name: str, sources: Sequence[KnownSource]) -> KnownSource | None:
    """Return the one read model that a name means; None if it means none, or several."""
    found = [source for source in sources if is_same(name, source.names)]
    return found[0] if len(found) == 1 else None
