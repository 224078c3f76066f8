"""What the documents say is true: settings and their defaults, commands, outcomes, links, examples."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from enum import StrEnum
from inspect import signature
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.models import OptionInfo

from b2bua.cli.main import app
from b2bua.config import Config, LimitsConfig, MediaConfig, ServerConfig, StirConfig, WebConfig, read_config
from b2bua.money import format_money
from b2bua.outcome import Outcome
from b2bua.plan.apply import apply
from b2bua.plan.entries import (
    AccountEntry,
    CallbackEntry,
    CallerEntry,
    CallNowEntry,
    ChargingPlanEntry,
    DidEntry,
    ExtensionEntry,
    IntervalEntry,
    LimitEntry,
    Money,
    RateEntry,
    RouteEntry,
    TrunkEntry,
)
from b2bua.plan.reader import parse
from b2bua.rules.admission import Reason
from b2bua.rules.code_admission import CodeRefusal
from b2bua.rules.numbers import NumberFault
from store.database import transact
from store.journal import MORE_REFUSED, OVERLOADED, RESTARTED, RINGING, SCHEDULED
from store.values import CallerId, DialPlan, Micros
from tests.acceptance.reasons import cases
from tests.settings.known import SETTINGS
from tests.settings.refused import REFUSED, TEXTS
from tests.settings.table import TABLE

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), ROOT / "sipp_scenarios" / "README.md"]
SERVE, APPLY = CONFIGURATION.split("\n## ")[1:3]

REASONS: tuple[type[StrEnum], ...] = (Outcome, Reason, CodeRefusal, NumberFault)
SERVE_TABLES: dict[str, type[Any]] = {
    "`[server]`": ServerConfig, "`[media]`": MediaConfig, "`[stir]`": StirConfig, "`[web]`": WebConfig,
    "`[limits]`": LimitsConfig,
}
APPLY_TABLES: dict[str, type[Any]] = {
    "`[[account]]`": AccountEntry, "`dial_plan = { ... }` of an account": DialPlan, "`[[extension]]`": ExtensionEntry,
    "`caller_id = { ... }` of an extension": CallerId, "`[extension.callnow]`": CallNowEntry,
    "`[extension.callback]`": CallbackEntry, "`[[caller]]`": CallerEntry,
    "`[[trunk]]`": TrunkEntry, "`[[did]]`": DidEntry, "`[[route]]`": RouteEntry, "`[[rate]]`": RateEntry,
    "`[[charging_plan]]`": ChargingPlanEntry, "`[[interval]]`": IntervalEntry,
    "`limits = [{ ... }]` of an interval": LimitEntry,
}


def documented(chapter: str, heading: str) -> dict[str, str]:
    """Key and default of every row of the table below a heading."""
    section = chapter.split(f"\n### {heading}\n", 1)[1].split("\n### ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.+?) \| \S.* \|$", section, re.MULTILINE))


def written(default: Any) -> str:
    """A default as the tables write it."""
    if default is None:
        return "none"
    if isinstance(default, Money):
        return f'`"{format_money(Micros(default))}"`'
    if isinstance(default, (DialPlan, CallerId)):
        return "see below"
    return f"`{json.dumps(default)}`"


def plan_defaults(entry: type[Any]) -> dict[str, str]:
    """Key and default of every key of a plan's table."""
    return {each.name: "required" if (default := default_of(each)) is MISSING else written(default)
            for each in fields(entry)}


def default_of(each: Field[Any]) -> Any:
    """What a field is when nothing is said."""
    return each.default if each.default_factory is MISSING else each.default_factory()


@pytest.mark.parametrize("heading", SERVE_TABLES)
def test_every_setting_of_the_server_is_documented_with_its_default(heading: str) -> None:
    defaults = {name: written(value) for name, value in msgspec.structs.asdict(SERVE_TABLES[heading]()).items()}
    assert documented(SERVE, heading) == defaults


@pytest.mark.parametrize("heading", APPLY_TABLES)
def test_every_key_of_a_plan_is_documented_with_its_default(heading: str) -> None:
    assert documented(APPLY, heading) == plan_defaults(APPLY_TABLES[heading])


def test_no_table_of_settings_is_forgotten() -> None:
    assert {f"`[{name}]`" for name in Config.__struct_fields__} == SERVE_TABLES.keys()
    assert set(re.findall(r"^### (.+)$", SERVE, re.MULTILINE)) == SERVE_TABLES.keys()
    assert set(re.findall(r"^### (.+)$", APPLY, re.MULTILINE)) == APPLY_TABLES.keys() | {"`[server]`"}


def test_every_setting_is_seen_to_change_and_has_values_that_are_refused() -> None:
    """A new key needs its row in tests/settings: docs/testing.md says how."""
    assert sorted(SETTINGS.keys() - {row.setting for row in TABLE}) == []
    assert sorted({row.setting for row in TABLE} - SETTINGS.keys()) == []
    assert sorted(TEXTS - REFUSED.keys()) == []


def test_every_outcome_and_reason_is_explained() -> None:
    words = set(re.findall(r"`([a-z0-9-]+)`", CONFIGURATION.split("\n## Outcomes and reasons\n")[1]))
    others = {RESTARTED, RINGING, SCHEDULED, MORE_REFUSED, OVERLOADED}
    assert words == others.union(word for each in REASONS for word in each)


def test_every_outcome_and_reason_has_a_row_of_a_real_request() -> None:
    """A new one needs a row in tests/acceptance/reasons.py: docs/testing.md tells how."""
    assert {case.id for case in cases()} == {f"{each.__name__}.{one.name}" for each in REASONS for one in each}


def run_words() -> set[str]:
    """The words that the script `run` knows by itself."""
    return set(re.findall(r"^    ([a-z-]+)\)$", (ROOT / "run").read_text(), re.MULTILINE))


def commands() -> dict[str, Any]:
    """The words of the command line with their functions."""
    return {
        each.name or each.callback.__name__: each.callback for each in app.registered_commands if each.callback
    }


def test_every_word_of_run_and_of_the_command_line_is_in_the_readme() -> None:
    words = run_words() | commands().keys()
    assert {"demo", "demo-call", "test", "bench", "serve", "apply"} <= words
    assert [word for word in sorted(words) if f"`./run {word}" not in README] == []


def test_every_option_of_a_command_is_in_the_readme() -> None:
    documents = README + CONFIGURATION
    assert [(name, option) for name, option in options() if not re.search(rf"{option}\b(?!-)", documents)] == []


def options() -> Iterator[tuple[str, str]]:
    """(command, `--option`) of every option, but for the demo's --bind, which takes one value only."""
    for name, function in commands().items():
        for parameter, value in signature(function, eval_str=True).parameters.items():
            found = [each for each in getattr(value.annotation, "__metadata__", ()) if isinstance(each, OptionInfo)]
            if found and parameter != "bind":
                yield name, (found[0].param_decls or [f"--{parameter.replace('_', '-')}"])[0]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_pictures_are_there(document: Path) -> None:
    text = document.read_text()
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset|href)="([^"]+)"', text)
    local = [target for target in targets if not re.match(r"[a-z]+:|#", target)]
    assert [target for target in local if not (document.parent / target.partition("#")[0]).exists()] == []
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert [target for target in targets if target.startswith("#") and target[1:] not in anchors] == []


def test_pictures_are_small() -> None:
    assert [path.name for path in (ROOT / "docs" / "images").iterdir() if path.stat().st_size > 250_000] == []


def examples() -> Iterator[Any]:
    """Every block of TOML in the documents, with where it stands."""
    for document in DOCUMENTS:
        text = document.read_text()
        for found in re.finditer(r"^```toml\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            line = text[: found.start()].count("\n") + 1
            yield pytest.param(found[1], id=f"{document.name}:{line}")


@pytest.mark.parametrize("example", [*examples()])
def test_examples_are_taken(example: str, tmp_path: Path) -> None:
    """A file of the server begins with its name; another is for `apply`, and one with accounts is whole."""
    if example.startswith("# ringback.toml"):
        file = tmp_path / "ringback.toml"
        file.write_text(example)
        assert read_config(file) != Config()
        return
    plan = parse(example, "example.toml")
    if plan.account:
        said = transact(f"sqlite:///{tmp_path}/a.db", lambda conn: apply(conn, plan, 0.0, "http://x", lambda: "0" * 16))
        assert not [line for line in said if line.startswith("kept")]
        assert any(line.startswith("CallNow") for line in said)


def test_the_architecture_names_files_that_exist() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text() + (ROOT / "docs" / "testing.md").read_text()
    named = set(re.findall(r"`((?:b2bua|sip_stack|media|store|webform|tests|bench|scripts)/[\w/.]+)`", text))
    assert len(named) > 30
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
