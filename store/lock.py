"""One server a database: a second one would settle the money of the first one's live calls."""

from __future__ import annotations

import fcntl
import os
from types import TracebackType

from sqlalchemy.engine import make_url

from store.errors import StoreError

__all__ = ["ServerLock"]


class ServerLock:
    """Held by a running server, as a locked file beside the database; the kernel lets go when the process dies.

    Raises: StoreError when another process holds it. Command-line verbs do not take it.
    """

    def __init__(self, url: str) -> None:
        database = make_url(url).database
        self._file: int | None = None
        try:
            self._file = os.open(f"{database}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            sentence = f"another server is running on {database}; stop it first, or use another database"
            raise StoreError(sentence) from None
        except OSError as broken:
            self.release()
            raise StoreError(f"cannot lock {database}.lock: {broken.strerror}") from broken

    def release(self) -> None:
        """Let another server in; the file stays, as removing it could let two in."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def __enter__(self) -> ServerLock:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.release()
