"""The part of the REST API that is about signed links to CallNow pages (SPEC A12.7)."""

from __future__ import annotations

from starlette.requests import Request

from b2bua.desk import Holder, KeyRotation, LinkDesk, LinkView, MadeLink, NewLink, RotatedKey
from webform.api_guard import read_json, read_switch
from webform.api_schema import Operation, Query

__all__ = ["LinkApi"]

_LINKS = "/extensions/{extension}/links"


class LinkApi:
    """The handlers."""

    def __init__(self, office: LinkDesk) -> None:
        self._office = office

    def operations(self) -> list[Operation]:
        """The operations, in the order of the document."""
        return [
            Operation("GET", _LINKS, "GetLinks", "Signed links of an extension, newest first", self._get,
                      gives=list[LinkView],
                      query=(Query("q", "part of a label, name or number"),
                             Query("usable", "only those that still work", "boolean"))),
            Operation("POST", _LINKS, "MakeLink",
                      "Make a link that asks for no image validation; its address is answered this once", self._make,
                      takes=NewLink, gives=MadeLink, status=201),
            Operation("DELETE", _LINKS + "/{link}", "RevokeLink", "Let it work no longer", self._revoke, status=204),
            Operation("POST", "/link-keys", "RotateLinkKey",
                      "Sign by a new key from now on; links of older ones end, unless they are kept", self._rotate,
                      takes=KeyRotation, gives=RotatedKey, status=201, reserved="all of it"),
        ]  # fmt: skip

    async def _get(self, request: Request, who: Holder) -> object:
        query = request.query_params
        return await self._office.links(
            who, _extension(request), query.get("q", ""), usable=bool(read_switch(request, "usable"))
        )

    async def _make(self, request: Request, who: Holder) -> MadeLink:
        return await self._office.make_link(who, _extension(request), await read_json(request, NewLink))

    async def _revoke(self, request: Request, who: Holder) -> None:
        await self._office.revoke_link(who, _extension(request), str(request.path_params["link"]))

    async def _rotate(self, request: Request, who: Holder) -> RotatedKey:
        return await self._office.rotate_link_key(who, await read_json(request, KeyRotation))


def _extension(request: Request) -> str:
    return str(request.path_params["extension"])
