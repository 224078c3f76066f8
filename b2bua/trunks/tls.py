"""TLS of trunks: whose certificate is believed and which one is ours, trunk by trunk."""

from __future__ import annotations

import ssl
from collections.abc import Callable

from sip_stack.transports import Trust
from store.directory import Directory
from store.values import Trunk

__all__ = ["TrunkContexts", "trust_of"]


def trust_of(trunk: Trunk | None) -> Trust:
    """What a trunk's settings say; for what is no trunk the system's."""
    return Trust(trunk.tls_ca, trunk.tls_certificate, trunk.tls_key) if trunk else Trust()


class TrunkContexts:
    """The context for connections to a trunk; files are read again when they are newer."""

    def __init__(self, directory: Callable[[], Directory]) -> None:
        self._directory = directory
        self._made: dict[Trust, tuple[tuple[int, ...], ssl.SSLContext]] = {}

    def __call__(self, line: str) -> ssl.SSLContext:
        """For the trunk of this name.  Raises: OSError for files that cannot be used."""
        trust = trust_of(self._directory().trunk_by_name(line))
        changed = trust.changed_at()
        made = self._made.get(trust)
        if made is None or made[0] != changed:
            self._made[trust] = made = (changed, trust.context())
        return made[1]
