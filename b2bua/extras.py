"""How trunks and phones are spoken to beyond plain calls: reliable ringing and session timers."""

from __future__ import annotations

from functools import lru_cache

from sip_stack.options import InviteOptions
from store.values import Extension, Trunk

__all__ = ["options_of"]


def options_of(far: Trunk | Extension) -> InviteOptions:
    """What the settings of a trunk or extension ask for."""
    return _options(far.prack, far.session_expires_s, far.min_se_s)


@lru_cache(256)
def _options(prack: bool, session_s: int, min_se_s: int) -> InviteOptions:
    return InviteOptions(reliable=prack, session_s=session_s, min_se_s=min_se_s)
