"""`kinprint serve`: the HTTP API, with one worker beside it."""

from __future__ import annotations

import click

from kinprint.cli.logs import log_to_stderr
from kinprint.lineage.coverage import small_index_advice
from kinprint.service.answers import Answers
from kinprint.service.app import create_app
from kinprint.service.embedded import EmbeddedWorker
from kinprint.service.instance import Instance
from kinprint.service.server import run_server
from kinprint.settings import settings


@click.command()
@click.option("--host", help="Address to listen on  [default: KINPRINT_HOST or 127.0.0.1]")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="Port to listen on, 0 for a free one  [default: KINPRINT_PORT or 8765]",
)
@click.option("--no-worker", is_flag=True, help="Start no worker; another machine runs it.")
def serve(host: str | None, port: int | None, no_worker: bool) -> None:
    """Answer `GET /similar?repo=owner/name` and the rest of the API until Ctrl-C.

    Repos that were never read are queued and read by a worker that is started beside the server.
    """
    given = {"host": host, "port": port}
    chosen = settings().model_copy(update={k: v for k, v in given.items() if v is not None})
    log_to_stderr()
    with Instance.open(chosen) as instance:
        app = create_app(Answers(instance), chosen)
        models = instance.index.size().models
        worker = None if no_worker else EmbeddedWorker()

        def say_where(address: str) -> None:
            if worker is not None:
                worker.start()
            click.echo(f"Kinprint answers at {address} ({models:,} models); Ctrl-C stops it.")
            click.echo(f"Try: curl '{address}/similar?repo=owner/name&wait=60'")
            advice = small_index_advice(models)
            if advice:
                click.echo(advice)

        try:
            run_server(app, chosen, on_ready=say_where)
        finally:
            if worker is not None:
                worker.stop()
