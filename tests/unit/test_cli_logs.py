"""Log lines hold what strangers send, and stay lines."""

from __future__ import annotations

import logging

from kinprint.cli.logs import log_to_stderr


def test_a_path_cannot_forge_a_log_line(capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    log_to_stderr()
    logging.getLogger("kinprint.access").warning("GET %s", "/x\n2026-11-24 INFO all is well\x1b[2J")
    (line,) = capsys.readouterr().err.splitlines()
    assert r"/x\n2026" in line
    assert r"\x1b[2J" in line
