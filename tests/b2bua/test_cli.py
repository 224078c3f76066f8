"""The command line: which database `apply` means, and a server as a process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from b2bua.cli.main import app
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


def until(fact: Callable[[], bool], within_s: float = 20.0) -> None:
    end = time.monotonic() + within_s
    while not fact():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.005)


def takes_sigusr1(pid: int) -> bool:
    """Whether the process ignores or handles the signal instead of dying of it."""
    status = Path(f"/proc/{pid}/status").read_text()
    masks = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigIgn", "SigCgt"))]
    return any(mask >> (signal.SIGUSR1 - 1) & 1 for mask in masks)


def test_a_server_asked_for_its_load_while_it_starts_goes_on_starting(tmp_path: Path) -> None:
    (tmp_path / "ringback.toml").write_text(f"""
[server]
sip = "127.0.0.1:0"
database = "sqlite:///{tmp_path}/ringback.db"
[media]
ports = "43000-43999"
[web]
http = "127.0.0.1:0"
""")
    said, log = tmp_path / "said", tmp_path / "log"
    with said.open("wb") as out, log.open("wb") as errors:
        server = subprocess.Popen(
            [sys.executable, "-m", "b2bua", "serve", "--config", str(tmp_path / "ringback.toml")],
            stdout=out, stderr=errors,
        )  # fmt: skip
        try:
            until(lambda: takes_sigusr1(server.pid))
            assert "ready" not in said.read_text()
            os.kill(server.pid, signal.SIGUSR1)
            until(lambda: "ready" in said.read_text() or server.poll() is not None)
            assert server.poll() is None, "it died"
            os.kill(server.pid, signal.SIGUSR1)
            until(lambda: "load clients=0" in said.read_text())
            server.terminate()
            assert server.wait(10) == 0
        finally:
            server.kill()
    assert "ports=43000-43999" in log.read_text()
    assert "alembic" not in log.read_text()
