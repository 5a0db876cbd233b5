"""Checks of an instance: what works, what does not, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import stat
import tempfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from kinprint.errors import KinprintError, MissingError
from kinprint.lineage.thresholds import SMALL_INDEX_MODELS
from kinprint.service.glance import Glance
from kinprint.service.instance import Instance, secret_key_file, witness_key_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kinprint.settings import Settings

LOW_DISK_BYTES = 1_000_000_000

_LIBRARIES = ("huggingface_hub", "numpy", "sqlalchemy", "safetensors", "flask", "torch")


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report.

    Attributes:
        name: What was looked at.
        status: ``ok``, ``warning`` (works, but) or ``failed``.
        detail: What was found.
        hint: What to do; empty when all is well.
    """

    name: str
    status: Literal["ok", "warning", "failed"]
    detail: str
    hint: str = ""


def examine(settings: Settings) -> tuple[Check, ...]:
    """Run every check; none of them stops the others.

    Args:
        settings: The settings in force, already validated.
    """
    checks: list[Callable[[Settings], Check]] = [
        _versions,
        _data_dir,
        _disk,
        _database,
        _secret_key,
        _witness_key,
        _queue,
        _hub,
    ]
    report = []
    for check in checks:
        try:
            report.append(check(settings))
        except KinprintError as error:
            name = check.__name__.strip("_").replace("_", " ")
            report.append(Check(name, "failed", error.message, error.hint))
    return tuple(report)


def _versions(_settings: Settings) -> Check:
    found = [f"kinprint {importlib.metadata.version('kinprint')}"]
    found.append(f"Python {platform.python_version()}")
    for library in _LIBRARIES:
        try:
            found.append(f"{library} {importlib.metadata.version(library)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{library} not installed")
    return Check("versions", "ok", ", ".join(found))


def _data_dir(settings: Settings) -> Check:
    folder = settings.data_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise MissingError(
            f"{str(folder)!r} cannot be written: {error.strerror}",
            hint="Make it writable, or set KINPRINT_DATA_DIR to a folder that is.",
        ) from error
    return Check("data dir", "ok", str(folder))


def _disk(settings: Settings) -> Check:
    free = shutil.disk_usage(_existing(settings.data_dir)).free
    detail = f"{free / 1e9:,.1f} GB free"
    if free < LOW_DISK_BYTES:
        return Check("disk", "warning", detail, "Free some space: the index stops at a full disk.")
    return Check("disk", "ok", detail)


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.absolute().parents) if each.is_dir())


def _database(settings: Settings) -> Check:
    with Instance.open(settings) as instance:
        size = instance.index.size()
    detail = f"{size.models:,} models, {size.revisions:,} revisions, {size.families:,} families"
    if size.models < SMALL_INDEX_MODELS:
        return Check(
            "database",
            "warning",
            f'{detail}: too few for "nothing found" to mean much',
            "Run `kinprint index bootstrap`.",
        )
    return Check("database", "ok", detail)


def _secret_key(settings: Settings) -> Check:
    return _key("secret key", secret_key_file(settings))


def _witness_key(settings: Settings) -> Check:
    return _key("witness key", witness_key_file(settings))


def _key(name: str, path: Path) -> Check:
    if not path.exists():
        return Check(name, "ok", "not made yet; the first reading makes it")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return Check(
            name,
            "failed",
            f"{str(path)!r} can be read by others (mode {mode:o})",
            f"chmod 600 {str(path)!r}",
        )
    return Check(name, "ok", f"{str(path)!r}, mode {mode:o}")


def _queue(settings: Settings) -> Check:
    with Instance.open(settings) as instance:
        waiting = instance.queue.pending()
        silent_s = instance.queue.worker_silent_s()
    detail = f"{waiting} waiting; " + (
        "no worker was ever heard of"
        if silent_s is None
        else f"a worker was heard of {silent_s:,.0f} s ago"
    )
    if waiting and not instance.queue.worker_is_alive():
        return Check("queue", "warning", detail, "Start `kinprint serve` or `kinprint worker`.")
    return Check("queue", "ok", detail)


def _hub(settings: Settings) -> Check:
    reason = Glance(settings).trouble()
    where = settings.hub_endpoint
    if reason is None:
        return Check("hub", "ok", f"{where} answers")
    return Check("hub", "failed", f"{where}: {reason.message}", reason.hint)
