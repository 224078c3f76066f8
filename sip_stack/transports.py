"""The transports of one core, found by the name in a hop; a certificate that is renewed without a restart."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sip_stack.hop import Hop

__all__ = ["Certificate", "Trust", "by_transport"]

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

    def __init__(self, certificate: Path, key: Path, clients_ca: Path | None = None) -> None:
        """`clients_ca`: who is asked for a certificate of his own must have it from one of these, or has none.

        Raises: OSError for files that cannot be read, ssl.SSLError (an OSError) for what is in them.
        """
        self._files = (certificate, key)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        if clients_ca is not None:
            self.context.load_verify_locations(clients_ca)
            self.context.verify_mode = ssl.CERT_OPTIONAL
        self._read_at = self._changed_at()
        self.context.load_cert_chain(*self._files, password="")

    def renew(self) -> bool:
        """Take the files as they are now, for connections from now on; False where they did not change.

        Raises: as at first; the old certificate is used on.
        """
        changed = self._changed_at()
        if changed == self._read_at:
            return False
        self._read_at = changed
        # half a pair breaks this one
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(*self._files, password="")
        self.context.load_cert_chain(*self._files, password="")
        return True

    def _changed_at(self) -> tuple[int, int]:
        certificate, key = self._files
        return certificate.stat().st_mtime_ns, key.stat().st_mtime_ns


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose certificates are believed of servers that we connect to, and who we are; system files where empty."""

    ca: str = ""
    certificate: str = ""
    key: str = ""

    def context(self) -> ssl.SSLContext:
        """For connections from now on.  Raises: as Certificate, with the name of the file."""
        context = ssl.create_default_context(cafile=self.ca or None)
        if self.certificate:
            context.load_cert_chain(self.certificate, self.key, password="")  # never ask at a terminal
        return context

    def changed_at(self) -> tuple[int, ...]:
        """When its files were.  Raises: OSError."""
        return tuple(Path(file).stat().st_mtime_ns for file in (self.ca, self.certificate, self.key) if file)
