"""The floors of DESIGN.md: who may import whom, and where sockets, clock, chance and database may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BELOW = {
    "sip_stack": {"sip_stack"},
    "media": {"media"},
    "store": {"store"},
    "b2bua": {"b2bua", "sip_stack", "media", "store"},
    "webform": {"webform"},
}
"""Each floor and what of ours it may import; beside these only EXCEPTIONS."""
EXCEPTIONS = {("b2bua/wiring.py", "webform.app"), ("webform", "b2bua.desk")}
PURE = ("sip_stack", "media", "store", "b2bua/rules")
RULES_KNOW = ("b2bua.rules.", "b2bua.outcome", "b2bua.desk", "b2bua.stir.verdict")
"""What decisions may know of the product: each other, and words for what they decide about."""
WORLDLY = {"asyncio", "socket", "time", "random", "secrets"}
SHELL = {
    "sip_stack/transport.py", "sip_stack/streams.py", "sip_stack/connection.py", "sip_stack/resolver.py",
    "sip_stack/batch_loop.py", "media/engine.py", "media/worker.py", "store/database.py",
}


def imports(floor: str) -> Iterator[tuple[str, str]]:
    """(file, imported module) of one package, with imports inside functions."""
    for path in sorted((ROOT / floor).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{path}: a relative import"
                # `from store import ledger` imports the module store.ledger
                module = node.module or ""
                names = [module] if "." in module else [f"{module}.{alias.name}" for alias in node.names]
            yield from ((str(path.relative_to(ROOT)), name) for name in names)


def test_each_floor_imports_only_the_floors_below() -> None:
    wrong = [
        f"{file} imports {name}"
        for floor, below in BELOW.items()
        for file, name in imports(floor)
        if name.split(".")[0] in BELOW.keys() - below and not {(file, name), (floor, name)} & EXCEPTIONS
    ]
    assert wrong == []


def test_sockets_clock_and_chance_are_in_the_shell_only() -> None:
    found = {(file, name.split(".")[0]) for floor in PURE for file, name in imports(floor)}
    assert [f"{file} imports {name}" for file, name in sorted(found) if name in WORLDLY and file not in SHELL] == []


def test_decisions_know_no_calls() -> None:
    names = [(file, name) for file, name in imports("b2bua/rules") if name.startswith("b2bua.")]
    assert len(names) > 10
    assert [f"{file} imports {name}" for file, name in names if not name.startswith(RULES_KNOW)] == []


def test_the_product_imports_no_test_and_no_peer() -> None:
    others = {"tests", "sipp_scenarios", "pyVoIP", "pytest"}
    assert [(file, name) for floor in BELOW for file, name in imports(floor) if name.split(".")[0] in others] == []
