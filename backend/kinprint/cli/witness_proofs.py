"""`kinprint witness …`: statements, timestamps and signed sightings, as files to check."""

from __future__ import annotations

from pathlib import Path

import click

from kinprint.cli.failure import one_line
from kinprint.cli.output import check_output, json_option, print_json
from kinprint.cli.progress import fingerprint_with_bar
from kinprint.errors import MissingError, UsageError
from kinprint.fingerprint.record import Depth
from kinprint.index.signing import FirstSeen, statement_of
from kinprint.index.timestamps import ROOT_BYTES, TOKEN_BYTES, read_roots, verified
from kinprint.index.timestamps import statement_of as statement_to_stamp
from kinprint.index.witnesses import FIRST_SEEN, Witness, weight_sets
from kinprint.service.instance import Instance
from kinprint.settings import settings


@click.command()
@click.argument("src")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="JSON file to write.",
)
@json_option
def statement(src: str, output: Path, as_json: bool) -> None:
    """Write the digests of SRC's weights into a file for a time-stamping authority.

    SRC is a directory, a file, a fingerprint file, or owner/name[@revision]. Nothing is sent:
    make the request with `openssl ts -query -data FILE -sha256 -cert -out request.tsq`, send it to
    an authority (RFC 3161), and hand its answer to `kinprint witness add`.
    """
    check_output(output)
    fingerprint = fingerprint_with_bar(src, quiet=as_json)
    if fingerprint.depth is not Depth.FULL:
        raise UsageError(
            f"{src!r} is a screen, whose digest is not that of the weights",
            hint="Take the whole fingerprint, or name the model itself.",
        )
    digests = weight_sets(fingerprint)
    content = statement_to_stamp(digests)
    output.write_bytes(content)
    if as_json:
        print_json({"file": str(output), "digests": digests})
        return
    click.echo(f"{output}: {len(content)} bytes. Keep it; then, for an authority of your choice:")
    click.echo(f"  openssl ts -query -data {output} -sha256 -cert -out request.tsq")


@click.command()
@click.argument("src")
@click.option(
    "--token",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Answer of the authority (DER, often reply.tsr).",
)
@click.option(
    "--tsa-root",
    "roots",
    required=True,
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Root certificate that is trusted (PEM); may be given again.",
)
@json_option
def add(src: str, token: Path, roots: tuple[Path, ...], as_json: bool) -> None:
    """Check an authority's answer over SRC's weights, and let its time count from now on."""
    answer = _content(token, TOKEN_BYTES)
    trusted = [each for path in roots for each in read_roots(_content(path, ROOT_BYTES))]
    digests = weight_sets(fingerprint_with_bar(src, quiet=as_json))
    stamp = verified(answer, digests, trusted)
    with Instance.open(settings()) as instance:
        instance.index.add_timestamp(
            stamp.digests, at=stamp.at, statement=stamp.statement, token=answer
        )
    if as_json:
        print_json({"not_after": stamp.at.isoformat(), "digests": stamp.digests})
    else:
        listed = ", ".join(sorted(stamp.digests))
        click.echo(f"These weights existed by {stamp.at:%Y-%m-%d %H:%M:%S} UTC ({listed}).")


@click.command("list")
@click.argument("src")
@json_option
def list_witnesses(src: str, as_json: bool) -> None:
    """List what this instance knows of when SRC's weights existed, with what proves it.

    --json gives each signed or stamped statement, its signature or the authority's answer, and
    the key that checks the signatures.
    """
    fingerprint = fingerprint_with_bar(src, quiet=as_json)
    with Instance.open(settings()) as instance:
        found = instance.index.witnesses(fingerprint)
        instance_id = instance.index.instance_id()
        key = instance.index.witness_key
    if as_json:
        print_json(
            {
                "public_key": None if key is None else key.public,
                "witnesses": [_shown(each, instance_id) for each in found],
            }
        )
        return
    if not found:
        click.echo(f"No witness of the weights of {one_line(src)}.")
    for each in found:
        proof = {True: "signed" if each.kind == FIRST_SEEN else "stamped", False: "unsigned"}
        click.echo(
            f"{each.at:%Y-%m-%d %H:%M:%S} UTC  {each.kind}  {each.digest_kind}:{each.digest}  "
            f"{proof[bool(each.proof)]}"
        )


def _shown(each: Witness, instance_id: str) -> dict[str, str]:
    stated = each.statement
    if each.kind == FIRST_SEEN:
        stated = statement_of(FirstSeen(each.digest_kind, each.digest, each.at, instance_id))
    return {
        "kind": each.kind,
        "at": each.at.isoformat(),
        "digest_kind": each.digest_kind,
        "digest": each.digest,
        "statement": stated.decode(),
        "proof": each.proof.hex(),
    }


def _content(path: Path, longest: int) -> bytes:
    """Return a file's content, or one byte too many of it."""
    try:
        with path.open("rb") as file:
            return file.read(longest + 1)
    except OSError as error:
        raise MissingError(f"{str(path)!r} cannot be read: {error.strerror}") from error
