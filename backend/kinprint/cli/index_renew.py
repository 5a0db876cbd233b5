"""`kinprint index renew-probes`: read indexed models again at the rows of the newest secret key."""

from __future__ import annotations

import click

from kinprint.cli.failure import one_line
from kinprint.cli.output import json_option, print_json
from kinprint.cli.progress import reading_bar
from kinprint.errors import KinprintError
from kinprint.service.instance import Instance
from kinprint.service.rotation import drop_unneeded_keys, renew, rotate
from kinprint.settings import settings


@click.command()
@click.option("--rotate", "makes_key", is_flag=True, help="Make a new secret key first.")
@json_option
def renew_probes(makes_key: bool, as_json: bool) -> None:
    """Read the indexed models again at the rows of the newest secret key, about 2 MB each.

    Rotate the key when somebody else may have read it. Older keys stay while a finding
    rests on them; models that are gone from the Hub keep theirs. May be stopped and run again.
    """
    renewed, bytes_read, failed = 0, 0, dict[str, KinprintError]()
    with Instance.open(settings()) as instance:
        if makes_key:
            rotate(instance)
        newest, *_ = instance.keys
        lacking = instance.index.probes.lacking(newest.id)
        for number, revision_id in enumerate(lacking, 1):
            known = instance.index.revision(revision_id)
            label = f"{number}/{len(lacking)} {known.repo}"
            try:
                with reading_bar(label, quiet=as_json) as on_bytes:
                    bytes_read += renew(instance, known, newest, progress=on_bytes)
            except KinprintError as reason:
                failed[known.repo] = reason
                continue
            renewed += 1
        keys = drop_unneeded_keys(instance)
    if as_json:
        print_json(
            {
                "renewed": renewed,
                "bytes_read": bytes_read,
                "keys": keys,
                "failed": [
                    {"repo": repo, "code": error.code, "message": error.message}
                    for repo, error in failed.items()
                ],
            }
        )
    else:
        for repo, error in failed.items():
            click.echo(f"failed: {repo}: {one_line(error.message)} [{error.code}]", err=True)
        noun = "key is" if keys == 1 else "keys are"
        click.echo(f"{renewed:,} models read again ({bytes_read:,} bytes); {keys} {noun} in use.")
    if failed:
        click.get_current_context().exit(KinprintError.exit_code)
