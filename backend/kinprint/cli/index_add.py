"""`kinprint index add`: read repos of the Hub into the index."""

from __future__ import annotations

from functools import partial

import click

from kinprint.checkpoints.source import HubSource, parse_source
from kinprint.cli.failure import one_line
from kinprint.cli.output import json_option, print_json
from kinprint.cli.progress import reading_bar
from kinprint.errors import KinprintError, UsageError
from kinprint.service.instance import Instance
from kinprint.service.reading import read_into_index
from kinprint.service.work import read_ancestors
from kinprint.settings import settings


@click.command()
@click.argument("sources", metavar="SRC...", nargs=-1, required=True)
@json_option
def add(sources: tuple[str, ...], as_json: bool) -> None:
    """Read each SRC, a public repo owner/name[@revision], into the index with its ancestors.

    One that fails does not stop the others; they are listed at the end.
    """
    wanted = [_hub_source(text) for text in sources]
    bar = partial(reading_bar, quiet=as_json)
    added, failed = [], []
    with Instance.open(settings()) as instance:
        for source in wanted:
            try:
                with bar(source.repo) as on_bytes:
                    read = read_into_index(
                        instance, source.repo, source.revision, progress=on_bytes
                    )
                read_ancestors(instance, read.revision.declared_bases, bar=bar)
            except KinprintError as error:
                if len(wanted) == 1:
                    raise
                failed.append((source.repo, error))
                continue
            added.append(read)
            if not as_json:
                state = f"{read.bytes_read:,} bytes read" if read.is_new else "was there already"
                click.echo(f"{read.revision.repo}@{read.revision.revision[:8]}: {state}")
    if as_json:
        print_json(
            {
                "added": [
                    {
                        "repo": each.revision.repo,
                        "revision": each.revision.revision,
                        "bytes_read": each.bytes_read,
                        "is_new": each.is_new,
                    }
                    for each in added
                ],
                "failed": [
                    {"repo": repo, "code": reason.code, "message": reason.message}
                    for repo, reason in failed
                ],
            }
        )
    else:
        for repo, reason in failed:
            click.echo(f"failed: {repo}: {one_line(reason.message)} [{reason.code}]", err=True)
    if failed:
        click.get_current_context().exit(KinprintError.exit_code)


def _hub_source(text: str) -> HubSource:
    source = parse_source(text)
    if not isinstance(source, HubSource):
        raise UsageError(
            f"{text!r} is on this machine; only repos of the Hub enter the index",
            hint="`kinprint similar` compares local weights with the index.",
        )
    return source
