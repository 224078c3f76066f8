"""Signed links as the API and the command line see them (SPEC A12.7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from b2bua.office.desk import Holder

__all__ = ["KeyRotation", "LinkDesk", "LinkView", "MadeLink", "NewLink", "RotatedKey"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLink:
    """A link to make."""

    number: str = ""
    """The only visitor's number that it calls; empty: the visitor gives one."""
    name: str = ""
    """Whom the extension is told; empty: the visitor says it."""
    label: str = ""
    """For whoever reads the list; visitors never see it."""
    uses: int = 1
    valid_hours: int = 168


@dataclass(frozen=True, slots=True)
class LinkView:
    """One link, without its token."""

    id: str
    extension: str
    state: Literal["open", "used-up", "expired", "revoked", "key-rotated"]
    number: str
    name: str
    label: str
    uses: int
    left: int
    made: str
    expires: str
    last_used: str
    """Empty: never."""


@dataclass(frozen=True, slots=True)
class MadeLink:
    """A new link: its addresses are shown this once."""

    link: LinkView
    url: str
    """A page with a button: for e-mail and chat, where programs open links before people do."""
    one_step_url: str
    """The call is asked for by opening it; where no number is fixed, `&phone=` is to be added."""
    worst_case: str
    """The most that it can cost, `24.00 USD`."""
    warning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotation:
    """A new key for all links that will be made."""

    keep_links: bool = False
    """Links signed by older keys still work."""


@dataclass(frozen=True, slots=True)
class RotatedKey:
    """What that did."""

    links_ended: int
    """How many could have been used, and cannot any more."""


class LinkDesk(Protocol):
    """What the API can ask about signed links.  Raises: NotDone."""

    async def links(self, who: Holder, extension: str, text: str = "", *, usable: bool = False) -> Sequence[LinkView]:
        """Those of an extension whose label, name or number contains `text`, newest first."""

    async def make_link(self, who: Holder, extension: str, new: NewLink) -> MadeLink:
        """Make one."""

    async def revoke_link(self, who: Holder, extension: str, link: str) -> None:
        """It works no longer."""

    async def rotate_link_key(self, who: Holder, rotation: KeyRotation) -> RotatedKey:
        """Sign by a new key; for the operator."""
