"""The REST API, /api/v1: one table of operations, which makes both the routes and their OpenAPI document."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Literal
from urllib.parse import quote

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from b2bua.desk import (
    SETTINGS,
    BlockedView,
    CallbackView,
    CallerChange,
    CallerList,
    CallerView,
    CodeCallView,
    Holder,
    ImportView,
    LadderRow,
    NewBlocked,
    NewCaller,
    NewRecharge,
    NotDone,
    Office,
    PublicCallerIdChange,
    PublicCallerIdView,
    RechargeView,
    StoreError,
    StoryView,
    TypedCode,
)
from webform.api_accounts import AccountApi
from webform.api_guard import (
    Bouncer,
    Json,
    on_http_error,
    on_unavailable,
    read_body,
    read_count,
    read_json,
    read_switch,
)
from webform.api_links import LinkApi
from webform.api_prices import PriceApi
from webform.api_schema import CHANGE, CSV, LIMIT, OFFSET, PCAP, SEARCH, XLSX, Operation, Query, document
from webform.api_settings import SettingsApi

__all__ = ["Api"]

log = logging.getLogger(__name__)

MOST_FILE_BYTES = 1_000_000
_SHOWN = "/extensions/{extension}/public-caller-id"
_BLOCKED = "/blocked-numbers"
_LOGGED = ("extension", "account", "trunk", "interval", "route", "charging_plan", "did")
"""What the log says of a path; a number of somebody else's is not there."""
NDJSON = "application/x-ndjson"
_LIST, _ONE = "/extensions/{extension}/caller-ids", "/extensions/{extension}/caller-ids/{number}"
_ENABLED = Query("enabled", "only enabled or only disabled ones", "boolean")


class Api:
    """The handlers; each gets a request and whose token came with it, and answers a value of b2bua.desk."""

    def __init__(self, office: Office, address: Callable[[Request], str], clock: Callable[[], float]) -> None:
        self._office = office
        self._accounts = AccountApi(office)
        self._links = LinkApi(office)
        self._prices = PriceApi(office)
        self._settings = SettingsApi(office)
        self._bouncer = Bouncer(office, address, clock)
        self._document = document(self.operations())

    def app(self) -> Starlette:
        """The application to mount; its errors are JSON."""
        paths: dict[str, dict[str, Operation]] = {}
        for each in self.operations():
            paths.setdefault(each.path, {})[each.method] = each
        routes = [Route("/openapi.json", self._openapi, methods=["GET"])]
        routes += [Route(_with_names(path), self._guarded(methods), methods=[*methods])
                   for path, methods in paths.items()]  # fmt: skip
        app = Starlette(routes=routes, exception_handlers={
            StoreError: on_unavailable,
            **{code: on_http_error for code in (400, 401, 404, 405, 413, 415, 429, Exception)},
        })  # fmt: skip
        app.router.redirect_slashes = False
        return app

    def operations(self) -> list[Operation]:
        """Everything that can be asked; the names mirror VoipNow's SystemAPI (SPEC 63)."""
        return [
            Operation("GET", "/extensions/{extension}/callback", "GetCallback", "Callback settings of an extension",
                      self._get_callback, gives=CallbackView),
            Operation("PATCH", "/extensions/{extension}/callback", "EditCallback", "Change some callback settings",
                      self._edit_callback, takes=CHANGE, gives=CallbackView, reserved="quota"),
            Operation("GET", _SHOWN, "GetPublicCallerID", "What public calls of an extension show, and what they could",
                      self._get_shown, gives=PublicCallerIdView),
            Operation("PATCH", _SHOWN, "EditPublicCallerID", "Change some of it", self._edit_shown,
                      takes=PublicCallerIdChange, gives=PublicCallerIdView,
                      reserved="an approval, or numbers by equipment"),
            Operation("POST", _SHOWN + "/code-call", "CallWithCode",
                      "Call the number set by the user and speak a code, which then proves that it is theirs",
                      self._call_with_code, gives=CodeCallView, status=202,
                      conflict="there is nothing to prove, or there were calls enough"),
            Operation("GET", _SHOWN + "/code-call", "GetCodeCall", "The newest such call, and whether its code counts",
                      self._get_code_call, gives=CodeCallView),
            Operation("POST", _SHOWN + "/code", "ConfirmCode", "The code that was heard: the right one is an approval",
                      self._confirm_code, takes=TypedCode, gives=PublicCallerIdView,
                      conflict="no code counts now, or there were tries enough"),
            Operation("GET", _BLOCKED, "GetBlockedNumbers", "Numbers that pages do not call, newest first",
                      self._get_blocked, gives=list[BlockedView], query=(SEARCH,)),
            Operation("POST", _BLOCKED, "BlockNumber", "Let no page, or the page of one extension, call a number",
                      self._block, takes=NewBlocked, gives=BlockedView, status=201, reserved="all pages"),
            Operation("DELETE", _BLOCKED + "/{number}", "UnblockNumber", "Let it be called again", self._unblock,
                      status=204, query=(Query("extension", "whose page; all pages where absent"),),
                      reserved="all pages"),
            Operation("GET", _LIST, "GetAuthCallerIDs", "Search the authorised CallerIDs", self._get_callers,
                      gives=CallerList, query=(SEARCH, _ENABLED, LIMIT, OFFSET)),
            Operation("POST", _LIST, "AddAuthCallerID", "Add an authorised CallerID", self._add_caller,
                      takes=NewCaller, gives=CallerView, status=201,
                      conflict="the number is there, or the quota is full", reserved="credit"),
            Operation("GET", _LIST + "/export.csv", "ExportAuthCallerIDsCSV", "The list as CSV", self._export_csv,
                      gives=CSV, query=(SEARCH, _ENABLED)),
            Operation("GET", _LIST + "/export.xlsx", "ExportAuthCallerIDsExcel", "The list as an Excel workbook",
                      self._export_xlsx, gives=XLSX, query=(SEARCH, _ENABLED)),
            Operation("POST", _LIST + "/import", "ImportAuthCallerIDs",
                      "Add every line of a file (number, PIN, order number, initial credit), or none. With "
                      f"`Accept: {NDJSON}` a line of progress comes after each row.",
                      self._import_callers, takes=CSV, gives=ImportView,
                      conflict="a number is there, or the quota is full", reserved="credit",
                      query=(Query("separator", "one character; a comma where absent"),
                             Query("dry_run", "only look whether the file would be taken", "boolean"))),
            Operation("GET", _ONE, "GetAuthCallerID", "One authorised CallerID", self._get_caller, gives=CallerView),
            Operation("PATCH", _ONE, "EditAuthCallerID", "Change number, PIN, language, or enable and disable",
                      self._edit_caller, takes=CallerChange, gives=CallerView,
                      conflict="the number is there, or the quota is full"),
            Operation("DELETE", _ONE, "DelAuthCallerID", "Remove an authorised CallerID; its ledger stays",
                      self._remove_caller, status=204),
            Operation("GET", _ONE + "/recharges", "GetAuthCallerIDRecharges", "The recharge history, newest first",
                      self._get_recharges, gives=list[RechargeView],
                      query=(Query("q", "part of an order number"),)),
            Operation("POST", _ONE + "/recharges", "RechargeAuthCallerID",
                      "Add credit, take some, or make it unlimited", self._recharge,
                      takes=NewRecharge, gives=RechargeView, status=201,
                      conflict="the order number was used for another amount", reserved="all of it"),
            Operation("GET", "/requests", "GetRequests",
                      "Why, or why not: every request, trigger and call of a number, newest first", self._get_requests,
                      gives=list[StoryView],
                      query=(Query("number", "in any notation", required=True), LIMIT,
                             Query("ladder", "with the kept SIP ladder of each call", "boolean"))),
            Operation("GET", "/calls/{call}/ladder", "GetCallLadder",
                      "What happened on the wires of a call, under way or over; secrets are masked", self._get_ladder,
                      gives=list[LadderRow]),
            Operation("GET", "/calls/{call}/pcap", "GetCallPcap",
                      "Its SIP messages as a capture file; secrets are masked", self._get_pcap, gives=PCAP),
            *self._links.operations(),
            *self._prices.operations(),
            *self._accounts.operations(),  # before the settings, whose path of an account takes any text with /
            *self._settings.operations(),
        ]  # fmt: skip

    def _guarded(self, methods: Mapping[str, Operation]) -> Callable[[Request], object]:
        async def endpoint(request: Request) -> Response:
            who = await self._bouncer.holder(request)
            operation = methods["GET" if request.method == "HEAD" else request.method]
            try:
                answer = await operation.handler(request, who)
            except NotDone as refusal:
                return Json.refusal(refusal)
            if operation.method != "GET":
                named = [f"{key}={value}" for key, value in request.path_params.items() if key in _LOGGED]
                log.info("event=api token=%r operation=%s %s", who.name, operation.name, " ".join(named))
            return answer if isinstance(answer, Response) else Json(answer, operation.status)

        return endpoint

    async def _openapi(self, request: Request) -> Response:
        return Json(self._document)

    async def _get_callback(self, request: Request, who: Holder) -> CallbackView:
        return await self._office.callback(who, _extension(request))

    async def _edit_callback(self, request: Request, who: Holder) -> CallbackView:
        return await self._office.change_callback(who, _extension(request), await read_json(request, dict))

    async def _get_shown(self, request: Request, who: Holder) -> PublicCallerIdView:
        return await self._office.public_caller_id(who, _extension(request))

    async def _edit_shown(self, request: Request, who: Holder) -> PublicCallerIdView:
        change = await read_json(request, PublicCallerIdChange)
        return await self._office.change_public_caller_id(who, _extension(request), change)

    async def _call_with_code(self, request: Request, who: Holder) -> CodeCallView:
        return await self._office.call_with_code(who, _extension(request))

    async def _get_code_call(self, request: Request, who: Holder) -> CodeCallView:
        return await self._office.code_call(who, _extension(request))

    async def _confirm_code(self, request: Request, who: Holder) -> PublicCallerIdView:
        return await self._office.confirm_code(who, _extension(request), await read_json(request, TypedCode))

    async def _get_blocked(self, request: Request, who: Holder) -> object:
        return await self._office.blocked_numbers(who, request.query_params.get("q", ""))

    async def _block(self, request: Request, who: Holder) -> BlockedView:
        return await self._office.block_number(who, await read_json(request, NewBlocked))

    async def _unblock(self, request: Request, who: Holder) -> None:
        await self._office.unblock_number(who, request.query_params.get("extension", ""), _number(request))

    async def _get_callers(self, request: Request, who: Holder) -> CallerList:
        return await self._office.callers(
            who, _extension(request), text=request.query_params.get("q", ""), enabled=read_switch(request, "enabled"),
            limit=read_count(request, "limit", 50, 500), offset=read_count(request, "offset", 0, 999_999_999),
        )  # fmt: skip

    async def _add_caller(self, request: Request, who: Holder) -> Response:
        caller = await self._office.add_caller(who, _extension(request), await read_json(request, NewCaller))
        where = f"{request.url.path}/{quote(caller.number, safe='')}"
        return Json(caller, 201, {"Location": where})

    async def _get_caller(self, request: Request, who: Holder) -> CallerView:
        return await self._office.caller(who, _extension(request), _number(request))

    async def _edit_caller(self, request: Request, who: Holder) -> CallerView:
        change = await read_json(request, CallerChange)
        return await self._office.edit_caller(who, _extension(request), _number(request), change)

    async def _remove_caller(self, request: Request, who: Holder) -> None:
        await self._office.remove_caller(who, _extension(request), _number(request))

    async def _get_recharges(self, request: Request, who: Holder) -> object:
        text = request.query_params.get("q", "")
        return await self._office.recharges(who, _extension(request), _number(request), text)

    async def _recharge(self, request: Request, who: Holder) -> RechargeView:
        new = await read_json(request, NewRecharge)
        return await self._office.recharge(who, _extension(request), _number(request), new)

    async def _export_csv(self, request: Request, who: Holder) -> Response:
        return await self._export(request, who, "csv", CSV + "; charset=utf-8")

    async def _export_xlsx(self, request: Request, who: Holder) -> Response:
        return await self._export(request, who, "xlsx", XLSX)

    async def _export(self, request: Request, who: Holder, kind: Literal["csv", "xlsx"], media_type: str) -> Response:
        data = await self._office.export_callers(
            who, _extension(request), kind, text=request.query_params.get("q", ""),
            enabled=read_switch(request, "enabled"),
        )  # fmt: skip
        name = f'attachment; filename="caller-ids.{kind}"'
        return Response(data, headers={"Content-Disposition": name}, media_type=media_type)

    async def _import_callers(self, request: Request, who: Holder) -> ImportView | Response:
        extension, separator = _extension(request), request.query_params.get("separator", ",")
        dry_run = bool(read_switch(request, "dry_run"))
        data = await read_body(request, CSV, MOST_FILE_BYTES)
        office = self._office
        if dry_run or NDJSON not in request.headers.get("accept", ""):
            return await office.import_callers(who, extension, data, separator=separator, dry_run=dry_run)
        # a status cannot be taken back once the progress begins: so first look whether the file is good
        await office.import_callers(who, extension, data, separator=separator, dry_run=True)
        return StreamingResponse(self._progress(who, extension, data, separator), media_type=NDJSON)

    async def _progress(self, who: Holder, extension: str, data: bytes, separator: str) -> AsyncIterator[bytes]:
        rows: asyncio.Queue[object] = asyncio.Queue()

        async def take() -> None:
            try:
                rows.put_nowait(await self._office.import_callers(
                    who, extension, data, separator=separator,
                    progress=lambda done, of: rows.put_nowait({"done": done, "of": of}),
                ))  # fmt: skip
            except NotDone as refusal:
                rows.put_nowait({"error": refusal.sentence, "line": refusal.line})
            finally:
                rows.put_nowait(None)

        task = asyncio.create_task(take())
        try:
            while (row := await rows.get()) is not None:
                yield msgspec.json.encode(row) + b"\n"
            await task  # a fault of ours is logged, and breaks the answer off
        finally:  # who hangs up in the middle gets nothing
            task.cancel()

    async def _get_requests(self, request: Request, who: Holder) -> object:
        number = request.query_params.get("number", "").strip()
        if not number:
            raise NotDone("number: which number?", field="number")
        return await self._office.stories(
            who, number, limit=read_count(request, "limit", 20, 500), ladder=bool(read_switch(request, "ladder")),
        )  # fmt: skip

    async def _get_ladder(self, request: Request, who: Holder) -> object:
        return await self._office.ladder(who, request.path_params["call"])

    async def _get_pcap(self, request: Request, who: Holder) -> Response:
        data = await self._office.pcap(who, request.path_params["call"])
        return Response(data, headers={"Content-Disposition": 'attachment; filename="call.pcap"'}, media_type=PCAP)


def _with_names(path: str) -> str:
    """The path as it is served: the name of an entry may have / in it."""
    named = "|".join(each.kind for each in SETTINGS if "name" in each.known_by)
    return re.sub(rf"{{({named})}}", r"{\1:path}", path)


def _extension(request: Request) -> str:
    return str(request.path_params["extension"])


def _number(request: Request) -> str:
    return str(request.path_params["number"])
