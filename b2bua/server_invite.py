"""An INVITE to one of several servers, given up sooner than timer B where nothing is heard of that one."""

from __future__ import annotations

from sip_stack.outgoing_invite import OutgoingInvite

__all__ = ["ServerInvite"]


class ServerInvite(OutgoingInvite):
    """As any; `heard_within` makes it impatient."""

    __slots__ = ()

    def heard_within(self, seconds: float) -> None:
        """Fail with 408 where not even a 100 has come by then: RFC 3263 4.3 leaves the timeout to the transport user.

        This is timer B come early: as there, it means nothing once any response is here (RFC 3261 17.1.1.2).
        """
        self.core.arm(self._client, "B", seconds)
