"""`kinprint worker`: read what waits in the queue."""

from __future__ import annotations

import click

from kinprint.cli.logs import log_to_stderr
from kinprint.service.instance import Instance
from kinprint.service.work import put_back, work
from kinprint.service.worker import run_worker
from kinprint.settings import settings


@click.command()
@click.option("--until-stdin-closes", is_flag=True, hidden=True)
def worker(until_stdin_closes: bool) -> None:
    """Read the repos that wait in the queue, until Ctrl-C.

    `kinprint serve` starts one by itself; more may run beside it, on the same data folder.
    """
    log_to_stderr()

    def read(reading_id: int) -> None:
        work(instance, reading_id)

    with Instance.open(settings(), read=read) as instance:
        run_worker(
            instance.queue,
            on_idle=lambda: put_back(instance),
            until_stdin_closes=until_stdin_closes,
        )
