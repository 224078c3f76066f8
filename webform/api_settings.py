"""The part of the REST API that is about what `ringback apply` sets: one table of kinds makes all its operations."""

from __future__ import annotations

from functools import partial

from starlette.requests import Request

from b2bua.desk import CALLNOW, SETTINGS, EntryList, EntryType, Holder, ServerSettings, SettingsDesk
from webform.api_guard import Json, read_count, read_json
from webform.api_schema import LIMIT, OFFSET, SERVER_CHANGE, Operation, Query
from webform.entry_schema import Shape

__all__ = ["SettingsApi"]

MOST_ENTRY_BYTES = 65_536
_PART = Query("q", "part of a name, number or prefix")
_ONLY = Query("account", "only those of this account")
_WHOSE = Query("account", "whose; the operator's where absent, or with an account's token its own")
_ALL = "all of it"
_WITH_ACCOUNT = ("extension", "did", "interval")
_CALLNOW_PATH = "/extensions/{extension}/callnow"


class SettingsApi:
    """The handlers."""

    def __init__(self, office: SettingsDesk) -> None:
        self._office = office

    def operations(self) -> list[Operation]:
        """The operations, in the order of the document."""
        return [each for of in SETTINGS for each in self._of(of)] + [
            Operation("GET", _CALLNOW_PATH, "GetCallNow", "The CallNow page of a phone, with its address",
                      self._get_callnow, gives=Shape(CALLNOW)),
            Operation("PATCH", _CALLNOW_PATH, "EditCallNow", "Change some of it; null is the default",
                      self._edit_callnow, takes=Shape(CALLNOW, change=True), gives=Shape(CALLNOW),
                      conflict="another page has the ID", reserved="limits, prefixes, the page of another account"),
            Operation("GET", "/server", "GetServer", "What holds for the whole server", self._get_server,
                      gives=ServerSettings, reserved=_ALL),
            Operation("PATCH", "/server", "EditServer", "Change some of it; null is the default", self._edit_server,
                      takes=SERVER_CHANGE, gives=ServerSettings, reserved=_ALL,
                      conflict="passwords are kept for the realm that there is"),
        ]  # fmt: skip

    def _of(self, of: EntryType) -> list[Operation]:
        """The five of one kind."""
        one, seen = f"{of.path}/{{{of.kind}}}", "" if of.branch else _ALL
        changed = "those of the operator" if of.shared else _ALL
        whose, shape, change = (_WHOSE,) if of.shared else (), Shape(of), Shape(of, change=True)
        return [
            Operation("GET", of.path, f"Get{of.name}s", f"Search the {of.word}s", partial(self._list, of),
                      gives=Shape(of, many=True), reserved=seen,
                      query=(_PART, LIMIT, OFFSET, *((_ONLY,) if of.kind in _WITH_ACCOUNT else ()))),
            Operation("POST", of.path, f"Add{of.name}", f"Make one {of.word}", partial(self._add, of), takes=shape,
                      gives=shape, status=201, conflict="it is there already",
                      reserved="" if of.shared else _ALL),
            Operation("GET", one, f"Get{of.name}", f"One {of.word}", partial(self._get, of), gives=shape,
                      query=whose, reserved=seen),
            Operation("PATCH", one, f"Edit{of.name}", "Change what is said of it; null is the default",
                      partial(self._edit, of), takes=change, gives=shape, query=whose, reserved=changed,
                      conflict="another page has the ID" if of.kind == "extension" else ""),
            Operation("DELETE", one, f"Del{of.name}", f"Remove one {of.word} that nothing refers to",
                      partial(self._remove, of), status=204, query=whose, conflict="something refers to it",
                      reserved=changed),
        ]  # fmt: skip

    async def _list(self, of: EntryType, request: Request, who: Holder) -> EntryList:
        account = request.query_params.get("account") if of.kind in _WITH_ACCOUNT else None
        return await self._office.entries(
            who, of.kind, text=request.query_params.get("q", ""), account=account,
            limit=read_count(request, "limit", 50, 500), offset=read_count(request, "offset", 0, 999_999_999),
        )  # fmt: skip

    async def _add(self, of: EntryType, request: Request, who: Holder) -> Json:
        made, address = await self._office.add_entry(who, of.kind, await read_json(request, dict, MOST_ENTRY_BYTES))
        return Json(made, 201, {"Location": f"{request.url.path}/{address}"})

    async def _get(self, of: EntryType, request: Request, who: Holder) -> object:
        return await self._office.entry(who, of.kind, _name(of, request), _account(request))

    async def _edit(self, of: EntryType, request: Request, who: Holder) -> object:
        change = await read_json(request, dict, MOST_ENTRY_BYTES)
        return await self._office.edit_entry(who, of.kind, _name(of, request), change, _account(request))

    async def _remove(self, of: EntryType, request: Request, who: Holder) -> None:
        await self._office.remove_entry(who, of.kind, _name(of, request), _account(request))

    async def _get_callnow(self, request: Request, who: Holder) -> object:
        return await self._office.callnow(who, str(request.path_params["extension"]))

    async def _edit_callnow(self, request: Request, who: Holder) -> object:
        change = await read_json(request, dict, MOST_ENTRY_BYTES)
        return await self._office.edit_callnow(who, str(request.path_params["extension"]), change)

    async def _get_server(self, request: Request, who: Holder) -> ServerSettings:
        return await self._office.server(who)

    async def _edit_server(self, request: Request, who: Holder) -> ServerSettings:
        return await self._office.edit_server(who, await read_json(request, dict))


def _name(of: EntryType, request: Request) -> str:
    return str(request.path_params[of.kind])


def _account(request: Request) -> str:
    return request.query_params.get("account", "")
