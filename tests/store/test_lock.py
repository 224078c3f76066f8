"""Two servers never share a database: the second would settle what the first one's calls hold."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from store.errors import StoreError
from store.lock import ServerLock

HOLDER = """
import sys
from store.lock import ServerLock
held = ServerLock(sys.argv[1])
print("held", flush=True)
sys.stdin.read()
"""


def test_one_at_a_time(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ringback.db"
    with ServerLock(url) as held:
        with pytest.raises(StoreError, match=r"another server is running on .*ringback\.db; stop it first"):
            ServerLock(url)
        ServerLock(f"sqlite:///{tmp_path}/other.db").release()
    held.release()
    ServerLock(url).release()


def test_a_killed_server_holds_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ringback.db"
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, url], cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(StoreError, match="another server"):
            ServerLock(url)
        os.kill(other.pid, signal.SIGKILL)
        other.wait(10)
        ServerLock(url).release()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot lock .*: No such file or directory"):
        ServerLock(f"sqlite:///{tmp_path}/nowhere/ringback.db")
