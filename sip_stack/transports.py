"""The transports of one core, found by the name in a hop; a certificate that is renewed without a restart."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from pathlib import Path

from sip_stack.hop import Hop

__all__ = ["Certificate", "by_transport"]

Send = Callable[[bytes, Hop], None]


def by_transport(senders: Mapping[str, Send]) -> Send:
    """One `send` for a core over several transports."""
    if len(senders) == 1:
        return next(iter(senders.values()))

    def send(data: bytes, hop: Hop) -> None:
        senders[hop.transport](data, hop)

    return send


class Certificate:
    """A certificate and its key from files; `renew` takes them again when the files are newer."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises: OSError for files that cannot be read, ssl.SSLError (an OSError) for what is in them."""
        self._files = (certificate, key)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._read_at = self._changed_at()
        self.context.load_cert_chain(*self._files)

    def renew(self) -> bool:
        """Take the files as they are now, for connections from now on; False where they did not change.

        Raises: as at first; the old certificate is used on.
        """
        changed = self._changed_at()
        if changed == self._read_at:
            return False
        self._read_at = changed
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(*self._files)  # half a pair breaks this one
        self.context.load_cert_chain(*self._files)
        return True

    def _changed_at(self) -> tuple[int, int]:
        certificate, key = self._files
        return certificate.stat().st_mtime_ns, key.stat().st_mtime_ns
