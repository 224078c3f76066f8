"""Who keeps the session of one dialog alive (RFC 4028 7.4, 10): refreshes it, or ends it where they do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sip_stack.message import Response
from sip_stack.session_timer import SessionTimer, Terms, min_se

if TYPE_CHECKING:
    from sip_stack.usage import Usage

__all__ = ["SessionKeeper"]

_EXPIRED = 'SIP;cause=408;text="Session timer expired"'
_AGAIN_S = 10.0


class SessionKeeper:
    """The session timer of one usage, and what it does."""

    __slots__ = ("_timer", "_usage", "interval_s", "raised")

    def __init__(self, usage: Usage) -> None:
        self._usage = usage
        self._timer: SessionTimer | None = None
        self.interval_s = usage.options.session_s
        """What we ask for next."""
        self.raised = 0
        """How often they wanted more."""

    def agreed(self, terms: Terms | None, role: str) -> None:
        """A new interval begins; None: the session does not expire.  `role` is ours in what was agreed."""
        self.stop()
        if terms is not None:
            self.interval_s = terms.interval_s
            self._timer = SessionTimer(self, self._usage.core, terms.interval_s, refreshing=terms.refresher == role)

    def stop(self) -> None:
        """The session is over, or has another timer."""
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    def refresh(self) -> None:
        """Say that we are still here: by UPDATE where they know it, else by a re-INVITE that changes nothing."""
        usage = self._usage
        if usage.negotiating:
            self._again(1.0)
        elif usage.far_updates or not usage.described:  # who began this session late, by an UPDATE, knows it
            usage.update(b"", self._answered)
        else:
            usage.reinvite(usage.described, self._answered)

    def _answered(self, response: Response | None) -> None:
        if response is None or response.status < 300:
            return
        if response.status in (405, 501) and self._usage.described:
            self._usage.far_allows = ()
            self._again(0.0)
        elif response.status == 422:  # 7.4: again with what they ask for
            self.interval_s = max(self.interval_s, min_se(response))
            self._again(0.0)
        else:
            self._again(self._usage.glare_wait_s if response.status == 491 else _AGAIN_S)

    def _again(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.again(seconds)

    def expire(self) -> None:
        """10: nobody has refreshed the session."""
        self._timer = None
        self._usage.bye(_EXPIRED)
        self._usage.owner.on_gone("expired")
