"""What the front matter of a model card (``README.md``) declares of the model's bases."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kinprint.checkpoints.limits import CARD_BYTES, DECLARED_BASES, FRONT_MATTER_CHARACTERS

if TYPE_CHECKING:
    from pathlib import Path

    import yaml

_FRONT_MATTER = re.compile(r"\A\s*---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class DeclaredText:
    """One value of the front matter.

    Attributes:
        text: As written, blanks at the ends taken off.
        line: Its line in the card, from 1.
    """

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """What a card declares above its prose.

    Attributes:
        bases: ``base_model`` in its order and spelling, at most `limits.DECLARED_BASES`.
        relation: ``base_model_relation``.
        end: Characters of the card that it takes; 0 where there is none.
        broken: It is there and is no YAML mapping, so that it declares nothing.
    """

    bases: tuple[DeclaredText, ...] = ()
    relation: DeclaredText | None = None
    end: int = 0
    broken: bool = False


def declared_in(card: Path) -> tuple[tuple[str, ...], str | None]:
    """Read ``base_model`` and ``base_model_relation`` from a card's YAML front matter.

    Args:
        card: Path of the card; it need not exist. Only its first `CARD_BYTES` are read.

    Returns:
        The declared bases in their order and spelling, at most `limits.DECLARED_BASES`, and the
        relation. A card without front matter, or with a broken one, declares nothing.
    """
    if card.is_symlink() or not card.is_file():
        return (), None
    with card.open("rb") as file:
        found = front_matter(file.read(CARD_BYTES).decode("utf-8-sig", errors="replace"))
    relation = None if found.relation is None else found.relation.text
    return tuple(base.text for base in found.bases), relation


def front_matter(card: str) -> FrontMatter:
    """Find the front matter of a card and what it declares of bases.

    Args:
        card: The whole text. Where there are more than `limits.FRONT_MATTER_CHARACTERS` above
            its prose (cards with hundreds of results), only the two fields are parsed.
    """
    import yaml

    found = _FRONT_MATTER.match(card)
    if found is None:
        return FrontMatter()
    broken = FrontMatter(end=found.end(), broken=True)
    text = found[1]
    if len(text) > FRONT_MATTER_CHARACTERS:
        text = _only_declarations(text)
    if len(text.strip()) > FRONT_MATTER_CHARACTERS:
        return broken
    try:
        # Nodes, not objects: aliases stay references, so that a small text stays small.
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return broken
    if not isinstance(root, yaml.MappingNode):
        return broken
    first_line = card.count("\n", 0, found.start(1)) + 1
    fields = {key.value: node for key, node in root.value if isinstance(key, yaml.ScalarNode)}
    relations = _texts(fields.get("base_model_relation"), first_line)
    return FrontMatter(
        bases=_texts(fields.get("base_model"), first_line),
        relation=relations[0] if relations else None,
        end=found.end(),
    )


def _only_declarations(text: str) -> str:
    """Blank every line that belongs to another field: parsing takes a second for 50 kB."""
    kept: list[str] = []
    is_ours = False
    for line in text.split("\n"):
        if line[:1] not in ("", " ", "\t", "-", "#", "\r"):
            is_ours = line.startswith(("base_model:", "base_model_relation:"))
        kept.append(line if is_ours else "")
    return "\n".join(kept)


def _texts(node: yaml.Node | None, first_line: int) -> tuple[DeclaredText, ...]:
    """Return a scalar, or those of a list of scalars."""
    import yaml

    listed = node.value[:DECLARED_BASES] if isinstance(node, yaml.SequenceNode) else [node]
    return tuple(
        # An escaped lone surrogate could not be written out again.
        DeclaredText(
            item.value.strip().encode("utf-8", "replace").decode(),
            first_line + item.start_mark.line,
        )
        for item in listed
        if isinstance(item, yaml.ScalarNode) and item.value.strip()
    )
