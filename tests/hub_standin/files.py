"""The files of one commit: resolve, tree and paths-info."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

from hub_standin.access import RefusedError
from hub_standin.clock import wire_time
from hub_standin.exchange import Answer, Request
from hub_standin.pages import page_of
from hub_standin.ranges import file_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub_standin.cdn import Cdn
    from hub_standin.repo import Commit, Repo
    from hub_standin.stored import Stored

COUNTED_AS_DOWNLOAD = "config.json"
TREE_PAGE = 1_000


def resolve(
    request: Request, repo: Repo, commit: Commit, path: str, cdn: Cdn, *, by_redirect: bool
) -> Answer:
    """Serve a small file, or redirect to the signed address of a large one.

    Args:
        request: GET or HEAD.
        repo: The repo.
        commit: The commit.
        path: The file's path in the repo.
        cdn: Signs the address.
        by_redirect: Small files too are answered by a redirect, on the same host.
    """
    stored = repo.file(commit, path)
    if path == COUNTED_AS_DOWNLOAD:
        repo.downloads += 1
    told = {"X-Repo-Commit": commit.sha}
    if stored.is_lfs(path):
        told["X-Linked-Size"] = str(stored.size)
        told["X-Linked-Etag"] = told["ETag"] = f'"{stored.digest}"'
        return Answer.redirect(302, cdn.address(f"{repo.id}/{path}", stored), told)
    told["ETag"] = f'"{stored.blob_id(path)}"'
    if by_redirect and request.segments[:2] != ("api", "resolve-cache"):
        told |= {"X-Linked-Etag": told["ETag"], "X-Linked-Size": str(stored.size)}
        to = f"/api/resolve-cache/models/{repo.id}/{commit.sha}/{quote(path)}"
        return Answer.redirect(307, to, told)
    if request.headers.get("If-None-Match") == told["ETag"]:
        return Answer(304, told)
    return file_answer(request, stored, {**told, "Content-Type": "text/plain; charset=utf-8"})


def tree(request: Request, commit: Commit, folder: str) -> Answer:
    """List a folder, its sub-folders too with ``recursive``, in pages."""
    prefix = f"{folder}/" if folder else ""
    paths = [path for path in _all_paths(commit) if path.startswith(prefix)]
    if not paths and folder:
        told = {"X-Repo-Commit": commit.sha}
        raise RefusedError(404, f"{folder} does not exist", "EntryNotFound", told)
    if not request.flag("recursive"):
        paths = [path for path in paths if "/" not in path[len(prefix) :]]
    entries = [_entry(commit, path, request.flag("expand")) for path in sorted(paths)]
    return page_of(request, entries, TREE_PAGE, {"X-Repo-Commit": commit.sha})


def paths_info(request: Request, commit: Commit) -> Answer:
    """Describe the paths that are named in the form; those that do not exist are left out."""
    form = parse_qs(request.body.decode(errors="replace"), keep_blank_values=True)
    known = _all_paths(commit)
    expand = form.get("expand", [""])[-1].lower() == "true"
    wanted = [path for path in form.get("paths", []) if path in known]
    return Answer.of_json([_entry(commit, path, expand) for path in wanted])


def sibling(path: str, stored: Stored, *, blobs: bool) -> dict[str, Any]:
    """Return a file as model info shows it."""
    shown: dict[str, Any] = {"rfilename": path}
    if blobs:
        shown |= {"blobId": stored.blob_id(path), "size": stored.size}
        if stored.is_lfs(path):
            pointer_size = len(stored.pointer)
            shown["lfs"] = {
                "sha256": stored.digest,
                "size": stored.size,
                "pointerSize": pointer_size,
            }
    return shown


def _all_paths(commit: Commit) -> set[str]:
    folders = {
        path[:at] for path in commit.files for at, letter in enumerate(path) if letter == "/"
    }
    return folders | set(commit.files)


def _entry(commit: Commit, path: str, expand: bool) -> Mapping[str, Any]:
    stored = commit.files.get(path)
    entry: dict[str, Any] = {"path": path}
    if stored is None:
        oid = hashlib.sha1(f"{commit.sha}/{path}".encode()).hexdigest()
        entry |= {"type": "directory", "oid": oid, "size": 0}
    else:
        entry |= {"type": "file", "oid": stored.blob_id(path), "size": stored.size}
        if stored.is_lfs(path):
            pointer_size = len(stored.pointer)
            entry["lfs"] = {
                "oid": stored.digest,
                "size": stored.size,
                "pointerSize": pointer_size,
            }
    if expand:
        last = _last_change(commit, path)
        entry["lastCommit"] = {"id": last.sha, "title": last.title, "date": wire_time(last.date)}
    return entry


def _last_change(commit: Commit, path: str) -> Commit:
    """Return the newest commit in which a file (or a file of a folder) changed."""

    def content(of: Commit) -> list[Stored]:
        return [
            stored
            for name, stored in sorted(of.files.items())
            if name == path or name.startswith(f"{path}/")
        ]

    newest = commit
    while newest.parent is not None and content(newest.parent) == content(newest):
        newest = newest.parent
    return newest
