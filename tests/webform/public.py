"""What several test files about the public page share."""

from __future__ import annotations

import re
from dataclasses import replace

from tests.webform.desk import JOHN, ScriptedDesk

PAGE = "/callnow/john_doe"
MARY = {"name": "Mary", "phone": "5555555555"}


def hidden(html: str, name: str) -> str:
    """The value of a hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found is not None
    return found[1]


def beside(html: str, field: str) -> str:
    """The error sentence beside a field that refers to it."""
    assert re.search(rf'id="{field}"[^>]* aria-describedby="{field}-error[^"]*" aria-invalid="true"', html)
    assert f'<a href="#{field}">' in html
    found = re.search(rf'id="{field}-error">([^<]*)<', html)
    assert found is not None
    return found[1]


def set_page(desk: ScriptedDesk, **changes: object) -> None:
    page = replace(JOHN, **changes)  # type: ignore[arg-type]
    desk.pages[page.id] = page
