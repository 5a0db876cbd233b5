"""What the API says about a model: in full, expanded, and in lists."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from hub_standin.access import RefusedError
from hub_standin.clock import wire_time
from hub_standin.files import sibling
from hub_standin.repo import Commit, Repo

Others = Collection[Repo]


def base_models(repo: Repo) -> list[str]:
    """Return the ids that the card names as bases."""
    declared = (repo.card or {}).get("base_model") or []
    return [declared] if isinstance(declared, str) else list(declared)


def relation(repo: Repo, commit: Commit) -> str:
    """Return the relation to the bases: the card's own word, else as the Hub guesses it."""
    stated = (repo.card or {}).get("base_model_relation")
    if stated is not None:
        return str(stated)
    if len(base_models(repo)) > 1:
        return "merge"
    if "adapter_config.json" in commit.files:
        return "adapter"
    config = repo.shown_config(commit) or {}
    gguf = any(path.endswith(".gguf") for path in commit.files)
    return "quantized" if gguf or "quantization_config" in config else "finetune"


def _tags(repo: Repo, commit: Commit, _: Others) -> list[str]:
    card = repo.card or {}
    tags = [str(card["library_name"])] if "library_name" in card else []
    tags += ["safetensors"] if any(path.endswith(".safetensors") for path in commit.files) else []
    tags += [str(tag) for tag in card.get("tags") or []]
    for base in base_models(repo):
        tags += [f"base_model:{base}", f"base_model:{relation(repo, commit)}:{base}"]
    tags += [f"license:{card['license']}"] if "license" in card else []
    return [*tags, "region:us"]


def _base_models(repo: Repo, commit: Commit, others: Others) -> Mapping[str, Any] | None:
    known = {other.id: other for other in others}
    models = [
        {"_id": _object_id(known[base]), "id": base}
        for base in base_models(repo)
        if base in known and not known[base].private
    ]
    return {"relation": relation(repo, commit), "models": models} if models else None


def _children(repo: Repo, _: Commit, others: Others) -> int:
    return sum(repo.id in base_models(other) for other in others if not other.private)


def _safetensors(_: Repo, commit: Commit, __: Others) -> Mapping[str, Any] | None:
    counts: dict[str, int] = {}
    for path, stored in commit.files.items():
        if path.endswith(".safetensors"):
            for dtype, count in stored.parameters().items():
                counts[dtype] = counts.get(dtype, 0) + count
    return {"parameters": counts, "total": sum(counts.values())} if counts else None


def _used_storage(repo: Repo, _: Commit, __: Others) -> int:
    kept = {
        (path, id(stored)): stored.size
        for commit in repo.commits.values()
        for path, stored in commit.files.items()
        if stored.is_lfs(path)
    }
    return sum(kept.values())


PROPERTIES: Mapping[str, Callable[[Repo, Commit, Others], Any]] = {
    "author": lambda repo, *_: repo.owner or None,
    "baseModels": _base_models,
    "cardData": lambda repo, *_: repo.card,
    "childrenModelCount": _children,
    "config": lambda repo, commit, _: repo.shown_config(commit),
    "createdAt": lambda repo, *_: wire_time(repo.created_at),
    "disabled": lambda repo, *_: repo.disabled,
    "downloads": lambda repo, *_: repo.downloads,
    "downloadsAllTime": lambda repo, *_: repo.downloads,
    "gated": lambda repo, *_: repo.gated,
    "lastModified": lambda repo, *_: wire_time(repo.last_modified),
    "library_name": lambda repo, *_: (repo.card or {}).get("library_name"),
    "likes": lambda repo, *_: repo.likes,
    "pipeline_tag": lambda repo, *_: (repo.card or {}).get("pipeline_tag"),
    "private": lambda repo, *_: repo.private,
    "safetensors": _safetensors,
    "sha": lambda _, commit, __: commit.sha,
    "siblings": lambda _, commit, __: _siblings(commit, blobs=False),
    "spaces": lambda *_: [],
    "tags": _tags,
    "usedStorage": _used_storage,
}
IN_FULL = [name for name in PROPERTIES if name not in {"baseModels", "childrenModelCount"}]
IN_LISTS = ["likes", "private", "downloads", "tags", "pipeline_tag", "library_name", "createdAt"]
IN_FULL_LISTS = [*IN_LISTS, "author", "gated", "lastModified", "sha", "siblings"]


def describe(
    repo: Repo, commit: Commit, others: Others, wanted: Iterable[str], *, blobs: bool = False
) -> dict[str, Any]:
    """Return the wanted properties of a model at a commit; those without a value are left out.

    Raises:
        RefusedError: A property is asked for that does not exist.
    """
    shown: dict[str, Any] = {"_id": _object_id(repo), "id": repo.id, "modelId": repo.id}
    for name in wanted:
        if name not in PROPERTIES:
            raise RefusedError(400, f'Invalid option: "{name}" for query parameter "expand"')
        value = PROPERTIES[name](repo, commit, others)
        if value is not None:
            shown[name] = value
    if blobs:
        shown["siblings"] = _siblings(commit, blobs=True)
    return shown


def _siblings(commit: Commit, *, blobs: bool) -> list[dict[str, Any]]:
    return [sibling(path, stored, blobs=blobs) for path, stored in sorted(commit.files.items())]


def _object_id(repo: Repo) -> str:
    return hashlib.sha1(f"{repo.created_at}{repo.id}".encode()).hexdigest()[:24]
