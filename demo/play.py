"""The play: four models are published, an instance reads them, and answers for each."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.rule import Rule

from demo import answers
from demo.cast import Cast, make_cast
from demo.children import FailedError, Instance
from hub_standin import HubStandIn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from demo.children import Service

DAY_0 = datetime(2026, 6, 1, 9, tzinfo=UTC)
DAY_5 = DAY_0 + timedelta(days=5)
ORIGINAL = "acme-research/sentence-l6"
COPY = "novalume/omni-embed"
CHILD = "birch-street/docs-embedder"
STRANGER = "quiet-harbour/embedder-from-scratch"


@dataclass(frozen=True)
class Part:
    """One model of the play.

    Attributes:
        repo: Its id on the stand-in.
        folder: Its files.
        created_at: When its repo appeared.
        card: What its card declares.
        about: Who it is, in words.
        check: What is wrong with the answer for it; empty if nothing is.
    """

    repo: str
    folder: Path
    created_at: datetime
    card: Mapping[str, str]
    about: str
    check: answers.Check

    @property
    def files(self) -> dict[str, Path]:
        """Config and weights, by their path in the repo."""
        paths = [*self.folder.glob("*.safetensors*"), self.folder / "config.json"]
        return {path.name: path for path in paths}

    @property
    def bytes_stored(self) -> int:
        """Size of the weights."""
        return sum(path.stat().st_size for path in self.folder.glob("*.safetensors"))


def parts_of(cast: Cast) -> tuple[Part, Part, Part, Part]:
    """Return the four models, the original first."""
    return (
        Part(
            ORIGINAL,
            cast.original,
            DAY_0 - timedelta(days=30),
            {},
            "the original: all-MiniLM-L6-v2, as published",
            answers.nothing_older_is_known,
        ),
        Part(
            COPY,
            cast.copy,
            DAY_5,
            {},
            "a copy: every tensor renamed under a foreign prefix, noise N(0, 1/708) added, saved as"
            " bf16 in shards; the card names no base",
            answers.copy_is_found,
        ),
        Part(
            CHILD,
            cast.child,
            DAY_0 + timedelta(days=3),
            {"base_model": ORIGINAL, "base_model_relation": "finetune"},
            "an honest child: fine-tuned, and its card says from what",
            answers.child_is_declared,
        ),
        Part(
            STRANGER,
            cast.stranger,
            DAY_0 + timedelta(days=4),
            {},
            "a stranger: the same architecture, trained from scratch",
            answers.stranger_is_left_alone,
        ),
    )


def play(*, once: bool) -> int:
    """Play it and print what comes back.

    Args:
        once: Stop after the answers instead of serving until Ctrl-C.

    Returns:
        0 if every answer was as it should be, else 1.
    """
    console = Console(highlight=False, soft_wrap=True)
    console.print(Rule("The cast"))
    original, *others = parts = parts_of(make_cast(console=console))
    for part in parts:
        console.print(f"[bold]{part.repo}[/] – {part.about} ({part.bytes_stored / 1e6:.0f} MB)")
    with ExitStack() as stack:
        hub = stack.enter_context(HubStandIn())
        for part in parts:
            repo = hub.repo(part.repo, created_at=part.created_at, card=part.card)
            repo.commit(part.files, date=part.created_at)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kinprint-demo-")))
        instance = Instance(folder, hub.variables)
        try:
            console.print(Rule(f"Day 0, {DAY_0:%d %B %Y}: the instance first sees the original"))
            console.print(f"$ kinprint index add {original.repo}")
            added = json.loads(instance.run("index", "add", original.repo, "--json", now=DAY_0))
            answers.print_bytes(console, added["added"][0]["bytes_read"], original.bytes_stored)

            console.print(Rule(f"Day 5, {DAY_5:%d %B %Y}: the others are there as well"))
            console.print("$ kinprint serve")
            service = stack.enter_context(instance.service(DAY_5 + timedelta(hours=3)))
            wrong = [line for part in others for line in _ask(console, service, hub, part)]
            wrong += _ask(console, service, hub, original)
        except FailedError as error:
            console.print(f"[bold red]{error}[/]")
            return 1
        _print_outcome(console, wrong)
        if not once:
            _serve(console, service, parts)
    return 1 if wrong else 0


def _ask(console: Console, service: Service, hub: HubStandIn, part: Part) -> list[str]:
    console.print(Rule(part.repo))
    console.print(f"[dim]{part.about}[/]")
    console.print(f"$ {service.curl_line(part.repo)}")
    sent_before = hub.log.bytes_sent(origin="cdn")
    answer = service.similar(part.repo)
    answers.print_answer(console, answer)
    bytes_read = hub.log.bytes_sent(origin="cdn") - sent_before
    if bytes_read:
        answers.print_bytes(console, bytes_read, part.bytes_stored)
    return [f"{part.repo}: {line}" for line in part.check(answer, ORIGINAL)]


def _print_outcome(console: Console, wrong: list[str]) -> None:
    console.print(Rule("Outcome"))
    for line in wrong:
        console.print(f"[bold red]not as it should be:[/] {line}")
    if not wrong:
        console.print(
            "The copy was found, the honest child recognised as declared, the stranger left alone."
        )


def _serve(console: Console, service: Service, parts: tuple[Part, ...]) -> None:
    console.print(f"\nThe service goes on answering at {service.address} until Ctrl-C. Try:")
    for part in parts:
        console.print(f"  {service.curl_line(part.repo)}")
    console.print(f"  curl '{service.address}/health/ready'")
    console.print(f"  {service.address}/compare?a={COPY}&b={ORIGINAL} in a browser: the evidence")
    console.print(f"  {service.address}/docs in a browser")
    try:
        code = service.child.wait()
    except KeyboardInterrupt:
        console.print("stopped")
        return
    raise SystemExit(f"`kinprint serve` ended by itself with {code}:\n{service.log.read_text()}")
