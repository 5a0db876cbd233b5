"""The command table: names and one-line helps here, everything else loaded when called."""

from __future__ import annotations

import errno
import importlib
import importlib.metadata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from kinprint.cli.failure import Failure, wants_json
from kinprint.errors import KinprintError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Lazy:
    """Where a command is defined (``module:attribute``) and its line in ``--help``."""

    target: str
    help: str


class LazyGroup(click.Group):
    """A group that imports a command's module only when this command is called.

    Args:
        lazy: Command name → where it is and what it does.
        **attributes: As for ``click.Group``.
    """

    def __init__(self, *, lazy: Mapping[str, Lazy], **attributes: Any) -> None:
        super().__init__(**attributes)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the table."""
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import and return one command, None if there is none of this name."""
        if cmd_name not in self.lazy:
            return None
        module, attribute = self.lazy[cmd_name].target.split(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002
        formatter: click.HelpFormatter,
    ) -> None:
        """List the commands from the table, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.help) for name, lazy in self.lazy.items()])


class RootGroup(LazyGroup):
    """The outermost group: the one place where errors become words and exit codes."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command.

        Raises:
            Failure: For every error that has a code, so that click prints and exits with it.
        """
        as_json = wants_json(ctx.args)
        try:
            return super().invoke(ctx)
        except KinprintError as error:
            raise Failure(error, as_json=as_json) from error
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else ctx.command_path
            usage = UsageError(error.format_message(), hint=f"`{path} --help` shows the usage.")
            raise Failure(usage, as_json=as_json) from error
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            raise Failure(KinprintError(str(error)), as_json=as_json) from error


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        click.echo(f"kinprint {importlib.metadata.version('kinprint')}")
        ctx.exit()


main = RootGroup(
    name="kinprint",
    help="Tells where a model's weights come from, from small ranges of a checkpoint.\n\n"
    "SRC is a directory, a file, a fingerprint file, or owner/name[@revision].",
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Show the version and exit.",
        )
    ],
    no_args_is_help=True,
    lazy={
        "fingerprint": Lazy("kinprint.cli.fingerprint:fingerprint", "Sketch a model into a file."),
        "compare": Lazy("kinprint.cli.compare:compare", "Say how a model relates to others."),
        "similar": Lazy("kinprint.cli.similar:similar", "Find a model's relatives in the index."),
        "rekey": Lazy("kinprint.cli.rekey:rekey", "Write a model under another one's keys."),
        "perturb": Lazy("kinprint.cli.perturb:perturb", "Write a model's noisy twin."),
        "index": Lazy("kinprint.cli.index:index", "Fill the index and look into it."),
        "serve": Lazy("kinprint.cli.serve:serve", "Answer over HTTP, with a worker beside it."),
        "dump": Lazy("kinprint.cli.dump:dump", "Write the index to one file for others."),
        "witness": Lazy("kinprint.cli.witness:witness", "Prove when weights existed."),
        "worker": Lazy("kinprint.cli.worker:worker", "Read the models that wait in the queue."),
        "doctor": Lazy("kinprint.cli.doctor:doctor", "Check this instance; make a backup."),
    },
)
