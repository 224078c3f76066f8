"""Signed links over one database: the implementation of b2bua.links.desk.LinkDesk (SPEC A12.7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from secrets import token_bytes, token_hex
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from sqlalchemy import Connection

from b2bua.desk import Holder, NotDone
from b2bua.links.desk import KeyRotation, LinkView, MadeLink, NewLink, RotatedKey
from b2bua.links.token import ID_BYTES, KEY_BYTES, make_token
from b2bua.money import format_money
from b2bua.office.jobs import extension_of, iso
from b2bua.rules.fence import crossed
from b2bua.rules.numbers import BadNumber, read_number
from b2bua.rules.spelling import abroad
from b2bua.rules.worst_case import Worst, worst_of_link
from store import links
from store.directory import Directory, load
from store.ledger import balance
from store.links import Link
from store.values import Account, Extension, Micros

if TYPE_CHECKING:
    from store.database import Database

__all__ = ["LinkOffice"]

_MOST_USES, _MOST_HOURS, _MOST_LETTERS = 100_000, 366 * 24, 80


class LinkOffice:
    """Implements b2bua.links.desk.LinkDesk."""

    __slots__ = ()
    database: Database
    wall: Callable[[], float]
    base_url: str

    async def links(self, who: Holder, extension: str, text: str = "", *, usable: bool = False) -> Sequence[LinkView]:
        """Those of an extension whose label, name or number contains `text`, newest first."""
        now = self.wall()

        def found(conn: Connection) -> list[LinkView]:
            row = extension_of(conn, who, extension)
            rows = links.list_links(conn, row["id"], text=text, over_at=now if usable else None)
            return [_view(link, row["number"], dead, now) for link, dead in rows]

        return await self.database.read(found)

    async def make_link(self, who: Holder, extension: str, new: NewLink) -> MadeLink:
        """Make one; the first brings the key that signs."""
        _check(new)
        at, link_id, fresh_key = self.wall(), token_hex(ID_BYTES), token_bytes(KEY_BYTES)

        def made(conn: Connection) -> MadeLink:
            row, directory = extension_of(conn, who, extension), load(conn)
            owner = directory.extension_by_id(row["id"])
            if owner is None or directory.callnow(owner.callnow.id) is not owner:
                raise NotDone(f"{row['number']} has no CallNow page now.", field="extension")
            number = _fixed_number(directory, owner, new.number)
            key_id, key = links.current_key(conn, fresh_key, at)
            link = Link(
                link_id, owner.id, key_id, new.uses, at, at + new.valid_hours * 3600, number, new.name.strip(),
                new.label.strip(),
            )  # fmt: skip
            links.add_link(conn, link)
            worst = worst_of_link(directory, owner, number, link.uses, at, link.expires)
            account = directory.accounts[owner.account_id]
            left = balance(conn, account.id).available
            return self._made(link, owner, account, make_token(key_id, key, link_id), worst, left)

        return await self.database.run(made)

    def _made(
        self, link: Link, owner: Extension, account: Account, token: str, worst: Worst, left: Micros | None
    ) -> MadeLink:  # fmt: skip
        page, base = quote(owner.callnow.id, safe=""), self.base_url.rstrip("/")
        cost = format_money(worst.cost, account.currency)
        enough = left is None or left >= worst.cost
        ends = "" if enough else f", ended by the account's {format_money(left or Micros(0), account.currency)}"
        return MadeLink(
            _view(link, owner.number, False, link.made),
            f"{base}/callnow/{page}?link={token}",
            f"{base}/callnow/index.php?call={page}&link={token}" + ("&now=1" if link.number else ""),
            cost,
            "Whoever has this link places calls without image validation, and the owner WILL be charged for them. "
            f"Worst case {cost} ({worst.calls} call{'' if worst.calls == 1 else 's'} of {worst.talk_s} s to "
            f"{link.number or 'the dearest number'}){ends}.",
        )  # fmt: skip

    async def revoke_link(self, who: Holder, extension: str, link: str) -> None:
        """It works no longer."""

        def revoked(conn: Connection) -> None:
            if not links.revoke_link(conn, extension_of(conn, who, extension)["id"], link, self.wall()):
                raise NotDone(f"{extension} has no link {link}.", 404)

        await self.database.run(revoked)

    async def rotate_link_key(self, who: Holder, rotation: KeyRotation) -> RotatedKey:
        """Sign by a new key."""
        if who.account_id is not None:
            raise NotDone("The key signs the links of all accounts: only the operator rotates it.", 403)
        fresh, at = token_bytes(KEY_BYTES), self.wall()
        ended = await self.database.run(lambda conn: links.rotate_key(conn, fresh, at, keep=rotation.keep_links))
        return RotatedKey(ended)


def _check(new: NewLink) -> None:
    """Raises: NotDone."""
    for field, value, most in (("uses", new.uses, _MOST_USES), ("valid_hours", new.valid_hours, _MOST_HOURS)):
        if not 1 <= value <= most:
            raise NotDone(f"{field}: expected 1 to {most}.", field=field)
    for field, text in (("name", new.name), ("label", new.label)):
        if len(text) > _MOST_LETTERS or not text.isprintable():
            raise NotDone(f"{field}: up to {_MOST_LETTERS} letters, digits and punctuation.", field=field)


def _fixed_number(directory: Directory, owner: Extension, typed: str) -> str:
    """The visitor's number as it will be called, empty for none.  Raises: NotDone for one the page may not call."""
    if not typed.strip():
        return ""
    plan = directory.accounts[owner.account_id].dial_plan
    try:
        number = read_number(typed, plan, extensions=directory.internal_numbers)
    except BadNumber as bad:
        raise NotDone(bad.sentence, field="number") from bad
    if crossed(owner.callnow, number, None, abroad(number, plan)) is not None:
        raise NotDone(f"The page of {owner.number} may not call this number.", field="number")
    return number


def _view(link: Link, extension: str, dead: bool, now: float) -> LinkView:
    return LinkView(
        link.id, extension, _state(link, dead, now), link.number, link.name, link.label, link.uses, link.left,
        iso(link.made), iso(link.expires), "" if link.last_used is None else iso(link.last_used),
    )  # fmt: skip


def _state(link: Link, dead: bool, now: float) -> Literal["open", "used-up", "expired", "revoked", "key-rotated"]:
    if link.revoked is not None:
        return "revoked"
    if dead:
        return "key-rotated"
    if link.expires <= now:
        return "expired"
    return "open" if link.left else "used-up"
