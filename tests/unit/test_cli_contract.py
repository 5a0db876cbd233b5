"""The outside of the command line: help, errors, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from click.testing import CliRunner

from kinprint.cli import main
from kinprint.cli.group import LazyGroup

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str):
    return CliRunner().invoke(main, list(arguments))


def test_help_loads_none_of_the_heavy_libraries() -> None:
    probe = (
        "import sys; from kinprint.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'torch', 'sqlalchemy', 'flask', 'huggingface_hub', 'pydantic', 'rich'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "similar" in done.stdout


def commands(group: LazyGroup, path: tuple[str, ...] = ()):
    for name in group.lazy:
        command = group.get_command(None, name)
        yield (*path, name), command
        if isinstance(command, LazyGroup):
            yield from commands(command, (*path, name))


def test_each_command_loads_and_explains_itself() -> None:
    for path, command in commands(main):
        assert command is not None, path
        shown = run(*path, "--help")
        assert shown.exit_code == 0, path
        assert command.help, path


RUNS_UNTIL_STOPPED = {("serve",), ("worker",)}


def test_commands_that_report_speak_json() -> None:
    for path, command in commands(main):
        if path not in RUNS_UNTIL_STOPPED and not isinstance(command, LazyGroup):
            assert "--json" in {name for option in command.params for name in option.opts}, path


def test_an_unknown_command_exits_2_with_a_hint() -> None:
    done = run("nosuch")
    assert done.exit_code == 2
    assert done.stderr.splitlines() == [
        "error: No such command 'nosuch'. [usage]",
        "hint: `kinprint --help` shows the usage.",
    ]
    assert done.stdout == ""


def test_a_missing_path_exits_2_and_shows_no_traceback(tmp_path: Path) -> None:
    done = run("fingerprint", str(tmp_path / "nothing.safetensors"), "-o", str(tmp_path / "f"))
    assert done.exit_code == 2
    assert "error: " in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr


def test_with_json_an_error_is_json_on_stdout(tmp_path: Path) -> None:
    done = run("compare", str(tmp_path / "a"), str(tmp_path / "b"), "--json")
    assert done.exit_code == 2
    error = json.loads(done.stdout)["error"]
    assert set(error) == {"code", "message", "hint"}


def test_a_wrong_option_with_json_is_json_too() -> None:
    done = run("compare", "a", "b", "--json", "--no-such-option")
    assert done.exit_code == 2
    assert json.loads(done.stdout)["error"]["code"] == "usage"


def test_control_characters_in_names_never_reach_the_terminal(tmp_path: Path) -> None:
    done = run("fingerprint", str(tmp_path / "\x1b[31mred"), "-o", str(tmp_path / "f"))
    assert "\x1b" not in done.stderr


def test_version() -> None:
    assert run("--version").stdout.startswith("kinprint ")
