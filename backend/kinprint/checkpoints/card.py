"""What the model card of a local folder (``README.md``) declares of the model's bases."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kinprint.checkpoints.limits import DECLARED_BASES

if TYPE_CHECKING:
    from pathlib import Path

    import yaml

CARD_BYTES = 262_144

_FRONT_MATTER = re.compile(r"\A\s*---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)


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
        text = file.read(CARD_BYTES).decode("utf-8-sig", errors="replace")
    front = _FRONT_MATTER.match(text)
    return ((), None) if front is None else _declared(front[1])


def _declared(front_matter: str) -> tuple[tuple[str, ...], str | None]:
    import yaml

    try:
        # Nodes, not objects: aliases stay references, so that a small text stays small.
        root = yaml.compose(front_matter, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return (), None
    if not isinstance(root, yaml.MappingNode):
        return (), None
    fields = {key.value: node for key, node in root.value if isinstance(key, yaml.ScalarNode)}
    relations = _texts(fields.get("base_model_relation"))
    return _texts(fields.get("base_model")), relations[0] if relations else None


def _texts(node: yaml.Node | None) -> tuple[str, ...]:
    """Return the text of a scalar, or those of a list of scalars."""
    import yaml

    listed = node.value[:DECLARED_BASES] if isinstance(node, yaml.SequenceNode) else [node]
    return tuple(
        item.value.strip()
        for item in listed
        if isinstance(item, yaml.ScalarNode) and item.value.strip()
    )
