"""`kinprint similar`: a model's relatives in this machine's index."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click

from kinprint import clock
from kinprint.checkpoints.source import HubSource, parse_source
from kinprint.cli.output import (
    exit_code_option,
    json_option,
    leave,
    print_json,
    screen_option,
)
from kinprint.cli.progress import fingerprint_with_bar, reading_bar
from kinprint.cli.report import console, show_similar
from kinprint.errors import NotPublicError, RevisionNotFoundError
from kinprint.fingerprint.record import Depth
from kinprint.lineage.similar import similar as find_similar
from kinprint.service.instance import Instance
from kinprint.service.reading import read_into_index
from kinprint.service.work import read_ancestors
from kinprint.settings import settings

if TYPE_CHECKING:
    from kinprint.fingerprint.record import Fingerprint


@click.command()
@click.argument("src")
@screen_option
@json_option
@exit_code_option
def similar(src: str, screen: bool, as_json: bool, exit_code: bool) -> None:
    """Find the models in the index that SRC shares weights with.

    SRC is a directory, a file, a fingerprint file, or owner/name[@revision]. A public repo enters
    the index, with its declared ancestors; anything else is only compared, and so is a screen.
    """
    with Instance.open(settings()) as instance:
        answer = find_similar(
            instance.index,
            fingerprint_with_bar(src, quiet=as_json, depth=Depth.SCREEN)
            if screen
            else _fingerprint(instance, src, quiet=as_json),
            checked_at=clock.now(),
            evidence_base_url=instance.address,
        )
    if as_json:
        print_json(answer)
    else:
        show_similar(console(), answer)
    leave([answer.verdict.relation], by_claim=exit_code)


def _fingerprint(instance: Instance, src: str, *, quiet: bool) -> Fingerprint:
    source = parse_source(src)
    if not isinstance(source, HubSource):
        return fingerprint_with_bar(src, quiet=quiet)
    bar = partial(reading_bar, quiet=quiet)
    try:
        with bar(src) as on_bytes:
            read = read_into_index(instance, source.repo, source.revision, progress=on_bytes)
    except (NotPublicError, RevisionNotFoundError):
        # Readable with the operator's own token, or a pull request: compared, never stored.
        return fingerprint_with_bar(src, quiet=quiet)
    read_ancestors(instance, read.revision.declared_bases, bar=bar)
    return instance.index.fingerprint(read.revision.id)
