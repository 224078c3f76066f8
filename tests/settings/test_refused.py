"""A file with a wrong value changes nothing, and says where it is wrong: file, line, setting and reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from b2bua.plan.apply import apply
from b2bua.plan.entries import BadPlan
from b2bua.plan.reader import parse
from store.database import connect, migrate
from tests.settings.files import Changes, path_of, written
from tests.settings.known import SETTINGS
from tests.settings.nonsense import nonsense
from tests.settings.refused import REFUSED
from tests.settings.table import TABLE

ROWS = {row.setting: row for row in reversed(TABLE)}
CHANGED = {"extension[2].name": "Nobody"}
"""A change that is right, in the same file."""


class Server:
    """A database that has a configuration."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'a.db'}"
        migrate(self.url)
        self.engine = connect(self.url)

    def applies(self, text: str) -> list[str]:
        with self.engine.begin() as conn:
            return apply(conn, parse(text, "plan.toml"), 0.0, "http://test", lambda: "f" * 16)

    def dump(self) -> list[str]:
        with self.engine.connect() as conn:
            return list(conn.connection.driver_connection.iterdump())  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("refused"))
    yield made
    made.engine.dispose()


def refusals(server: Server, place: str, value: Any, *given: Changes) -> list[tuple[int, str]]:
    """What is said of a file with this value: (line from the setting's own, sentence)."""
    text, lines = written(*given, {place: value}, CHANGED)
    with pytest.raises(BadPlan) as refused:
        server.applies(text)
    path = path_of(place)
    while path not in lines:
        path = path[:-1]
    told = [re.fullmatch(r"plan\.toml:(\d+): (.+)", line) for line in str(refused.value).split("\n")]
    return [(int(each[1]) - lines[path], each[2]) for each in told if each]


@pytest.mark.parametrize(("changes", "note"), [
    ({"account.rate_table": "cheap"}, 'account client: there is no rate table "cheap" yet: it can call no number'),
    ({"trunk.rate_table": "buy"}, 'trunk R1: there is no rate table "buy" yet: what its calls cost is not known'),
    ({"account.rate_table": None, "account.charging_plan": "gold", "charging_plan": [{"name": "gold",
      "rate_table": "none"}]}, 'account client: there is no rate table "none" yet: it can call no number'),
])  # fmt: skip
def test_a_table_of_rates_that_may_still_come_is_noted(server: Server, changes: Changes, note: str) -> None:
    assert f"note      {note}" in server.applies(written(changes)[0])
    assert "there is no rate table" not in "".join(server.applies(written()[0]))


@pytest.mark.parametrize("setting", SETTINGS)
def test_what_a_setting_cannot_be_is_refused_at_its_line_with_the_reason(server: Server, setting: str) -> None:
    row, hint = ROWS[setting], SETTINGS[setting]
    server.applies(written(row.given, {row.place: row.before})[0])
    before = server.dump()
    for value in nonsense(hint) if hint is not None else ():  # of another type, or out of range
        told = refusals(server, row.place, value, row.given)
        assert [line for line, sentence in told if setting.rpartition(".")[2] in sentence] == [0], (value, told)
    for value, sentence in REFUSED.get(setting, ()):
        assert (0, sentence) in refusals(server, row.place, value, row.given), value
    assert server.dump() == before, "nothing is changed, not even what was right"
