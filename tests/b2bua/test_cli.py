"""The command line: which database `apply` means."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from b2bua.cli import app
from tests.plans import fixture


def ringback(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "office.toml"
    path.write_text(fixture())
    return path


def test_apply_takes_database_and_addresses_of_pages_from_the_servers_file(plan: Path, tmp_path: Path) -> None:
    server = tmp_path / "ringback.toml"
    server.write_text(
        f'[server]\ndatabase = "sqlite:///{tmp_path}/server.db"\n[web]\nbase_url = "https://call.example.org"\n'
    )
    done = ringback("apply", plan, "--config", server)
    assert done.exit_code == 0
    assert "https://call.example.org/callnow/john_doe" in done.output
    assert (tmp_path / "server.db").exists()


def test_a_database_that_is_named_comes_before_the_servers(plan: Path, tmp_path: Path) -> None:
    server = tmp_path / "ringback.toml"
    server.write_text(f'[server]\ndatabase = "sqlite:///{tmp_path}/server.db"\n[web]\nhttp = "127.0.0.1:8099"\n')
    other = f"sqlite:///{tmp_path}/other.db"
    done = ringback("apply", plan, "--config", server, "--database", other, "--base-url", "http://pages.example")
    assert done.exit_code == 0
    assert "http://pages.example/callnow/john_doe" in done.output
    assert not (tmp_path / "server.db").exists()


def test_without_either_it_is_the_default_of_the_server(
    plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = ringback("apply", plan)
    assert "http://127.0.0.1:8080/callnow/john_doe" in done.output
    assert (tmp_path / "ringback.db").exists()


def test_a_fault_in_the_servers_file_is_a_sentence(plan: Path, tmp_path: Path) -> None:
    server = tmp_path / "ringback.toml"
    server.write_text('[web]\nproxies = ["name"]\n')
    done = ringback("apply", plan, "--config", server)
    assert done.exit_code == 1
    assert f"ringback: {server}:2: web.proxies: 'name'" in done.output
