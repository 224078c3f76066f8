"""What far ends are told of us, Via and Contact, and by which way requests that are too big for UDP go; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sip_stack.hop import Hop, bracketed
from sip_stack.listening import Listener, Listening

__all__ = ["Oversize", "Ourselves"]

_NO_TCP_S, _MOST_REFUSALS = 600.0, 4096


class Ourselves:
    """Our addresses in the words of SIP."""

    def __init__(self, local: Mapping[str, tuple[str, int]] | Listening) -> None:
        """`local`: our address by transport, or all where there are several."""
        if not isinstance(local, Listening):
            local = Listening([Listener(name, host, port, host) for name, (host, port) in local.items()])
        self._several = None if local.simple else local
        self._local = {each.transport: (each.told, each.port) for each in reversed(local.listeners)}
        self._sent_by = {name: f"{bracketed(host)}:{port}" for name, (host, port) in self._local.items()}
        self._via = {name: f"SIP/2.0/{name} {at};branch=" for name, at in self._sent_by.items()}
        self._contact = {name: self._named(name, at) for name, at in self._sent_by.items()}
        self._places = frozenset((each.transport, each.told, each.port) for each in local.listeners)
        self.transports = frozenset(self._local)

    def local(self, hop: Hop) -> tuple[str, int]:
        """What this far end knows as our address."""
        if self._several is not None:
            ours = self._several.of(hop)
            return ours.told, ours.port
        return self._local[hop.transport]

    def sent_by(self, hop: Hop) -> str:
        """Our host and port as this far end is told them."""
        if self._several is None:
            return self._sent_by[hop.transport]
        told, port = self.local(hop)
        return f"{bracketed(told)}:{port}"

    def is_ours(self, hop: Hop) -> bool:
        """Whether what is sent there comes back to us."""
        return hop[:3] in self._places

    def contact(self, hop: Hop, *, user: str = "", secure: bool = False) -> str:
        """Our Contact towards `hop`; without a user nothing leaks through it.  `secure`: a SIPS URI (8.1.1.8)."""
        if self._several is None and not user and not secure:
            return self._contact[hop.transport]
        at = f"{user}@{self.sent_by(hop)}" if user else self.sent_by(hop)
        return f"<sips:{at}>" if secure else self._named(hop.transport, at)

    @staticmethod
    def _named(transport: str, at: str) -> str:
        # RFC 7118 5.2.1: `ws` is the one word there is for WebSocket, over TLS too
        word = "ws" if transport == "WSS" else transport.lower()
        return f"<sip:{at}>" if transport == "UDP" else f"<sip:{at};transport={word}>"

    def new_via(self, hop: Hop, branch: str) -> str:
        """A Via with rport (RFC 3581 3)."""
        if self._several is None:
            via = f"{self._via[hop.transport]}{branch};rport"
        else:
            via = f"SIP/2.0/{hop.transport} {self.sent_by(hop)};branch={branch};rport"
        return f"{via};alias" if hop.line and hop.transport == "TLS" else via  # RFC 5923 5: it may come back by it


class Oversize:
    """Requests of more bytes than UDP may carry go by TCP, where that is there (RFC 3261 18.1.1)."""

    def __init__(self, transports: frozenset[str], clock: Callable[[], float]) -> None:
        self.stays: Callable[[Hop], bool] = (lambda hop: False) if "TCP" in transports else lambda hop: True
        """Whether not even what is too big for UDP shall go there by TCP."""
        self._clock = clock
        self._refused: dict[tuple[str, int], float] = {}
        """Where no TCP connection came about, and when it may be tried again."""

    def wider(self, hop: Hop) -> Hop | None:
        """TCP to the same address; None where it was refused not long ago, or is not wanted."""
        if self._refused.get((hop.host, hop.port), 0.0) > self._clock() or self.stays(hop):
            return None
        return hop._replace(transport="TCP", flow=0)

    def narrow(self, hop: Hop) -> None:
        """No connection came about."""
        if len(self._refused) >= _MOST_REFUSALS:
            self._refused.clear()
        self._refused[hop.host, hop.port] = self._clock() + _NO_TCP_S
