"""Every error code and every setting stands in the documentation, and nothing else does."""

from __future__ import annotations

import re
from pathlib import Path

from kinprint import errors
from kinprint.errors import KinprintError
from kinprint.service.app import create_app
from kinprint.service.failures import HTTP_CODES, INTERNAL
from kinprint.settings import Settings

DOCS = Path(__file__).parents[2] / "docs"


def error_classes(base: type[KinprintError] = KinprintError) -> set[type[KinprintError]]:
    return {base}.union(*(error_classes(child) for child in base.__subclasses__()))


def documented(page: str, pattern: str) -> set[str]:
    return set(re.findall(pattern, (DOCS / page).read_text(), re.M))


def test_every_error_code_is_documented_with_its_status() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (\d+) \|", (DOCS / "errors.md").read_text(), re.M))
    mine = {each.code: str(each.http_status) for each in error_classes()}
    mine |= {code: str(status) for status, (code, _) in HTTP_CODES.items()}
    mine[INTERNAL[0]] = "500"
    assert rows == mine


def test_codes_are_unique_and_no_class_hides_elsewhere() -> None:
    classes = error_classes()
    assert len({each.code for each in classes}) == len(classes)
    assert {each.__module__ for each in classes} == {errors.__name__}


def test_every_setting_is_documented() -> None:
    settings = {f"KINPRINT_{name.upper()}" for name in Settings.model_fields}
    assert documented("settings.md", r"^\| `(KINPRINT_\w+)` \|") == settings


def test_every_route_is_documented() -> None:
    headings = " ".join(documented("api.md", r"^## (.*)$"))
    app = create_app(object(), Settings())  # type: ignore[arg-type]  # nothing is asked of it
    rules = {rule.rule.replace("<", "{").replace(">", "}") for rule in app.url_map.iter_rules()}
    shown = {rule for rule in rules if not rule.startswith("/docs/")}
    assert {rule for rule in shown if f"{rule}`" not in headings} == set()
