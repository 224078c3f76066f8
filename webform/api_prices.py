"""The part of the REST API that is about prices: rate tables, how a price comes about, margins, configuration."""

from __future__ import annotations

from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from b2bua.desk import (
    AppliedView,
    Holder,
    MarginsBy,
    MarginView,
    NotDone,
    PriceDesk,
    PriceView,
    RateCloneView,
    RateImportView,
    RateTableView,
    RateView,
)
from webform.api_guard import read_body, read_count, read_switch
from webform.api_schema import CSV, LIMIT, OFFSET, TOML, Operation, Query

__all__ = ["PriceApi"]

MOST_RATE_BYTES = 20_000_000
MOST_TOML_BYTES = 1_000_000
_TABLE, _ALL = "/rate-tables/{table}/rates", "all of it"
_SEPARATOR = Query("separator", "one character; a comma where absent")
_DRY_RUN = Query("dry_run", "only look what it would do", "boolean")


class PriceApi:
    """The handlers, all for the operator's token."""

    def __init__(self, office: PriceDesk) -> None:
        self._office = office

    def operations(self) -> list[Operation]:
        """The operations, in the order of the document."""
        return [
            Operation("GET", "/rate-tables", "GetRateTables", "Every table of rates, and who uses it",
                      self._get_tables, gives=list[RateTableView], reserved=_ALL),
            Operation("GET", _TABLE, "GetRates", "The rates of a table", self._get_rates, gives=list[RateView],
                      reserved=_ALL, query=(Query("prefix", "what their prefix begins with"), LIMIT, OFFSET)),
            Operation("GET", _TABLE + "/export.csv", "ExportRates", "A table as CSV", self._export, gives=CSV,
                      reserved=_ALL, query=(_SEPARATOR,)),
            Operation("POST", _TABLE + "/import", "ImportRates",
                      "Make a table what a CSV file says; the first bad line is told, and then nothing is done",
                      self._import, takes=CSV, gives=RateImportView, reserved=_ALL,
                      query=(_SEPARATOR, Query("keep", "leave the rates that are not in the file", "boolean"),
                             Query("plus", "put + before prefixes that have none", "boolean"), _DRY_RUN)),
            Operation("POST", _TABLE + "/clone", "CloneRates",
                      "Copy the rates of another table that this one does not have; those it has stay as they are",
                      self._clone, gives=RateCloneView, reserved=_ALL,
                      query=(Query("source", "the other table", required=True), _DRY_RUN)),
            Operation("GET", "/prices", "ExplainPrice", "How the price of a number comes about", self._explain,
                      gives=PriceView, reserved=_ALL,
                      query=(Query("number", "in any notation", required=True),
                             Query("account", "whose; the only one where absent"),
                             Query("at", "a date, with a time after it or not; now where absent"),
                             Query("trunk", "by this one alone"))),
            Operation("GET", "/margins", "GetMargins", "What calls brought, and what they cost us", self._margins,
                      gives=list[MarginView], reserved=_ALL,
                      query=(Query("by", "trunk (where absent), account, extension or day"),
                             Query("since", "a date; the first of the month where absent"),
                             Query("until", "a date, before which"))),
            Operation("POST", "/configuration", "ApplyConfiguration",
                      "Take a document as `ringback apply` does: what it does not mention is left alone",
                      self._apply, takes=TOML, gives=AppliedView, reserved=_ALL, query=(_DRY_RUN,)),
        ]  # fmt: skip

    async def _get_tables(self, request: Request, who: Holder) -> object:
        return await self._office.rate_tables(who)

    async def _get_rates(self, request: Request, who: Holder) -> object:
        return await self._office.rates(
            who, _table(request), prefix=_query(request, "prefix"), limit=read_count(request, "limit", 50, 500),
            offset=read_count(request, "offset", 0, 999_999_999),
        )  # fmt: skip

    async def _export(self, request: Request, who: Holder) -> Response:
        data = await self._office.export_rates(who, _table(request), separator=_query(request, "separator", ","))
        name = 'attachment; filename="rates.csv"'
        return Response(data, headers={"Content-Disposition": name}, media_type=CSV + "; charset=utf-8")

    async def _import(self, request: Request, who: Holder) -> RateImportView:
        keep, plus, dry_run = (bool(read_switch(request, name)) for name in ("keep", "plus", "dry_run"))
        data = await read_body(request, CSV, MOST_RATE_BYTES)
        return await self._office.import_rates(
            who, _table(request), data, separator=_query(request, "separator", ","), keep=keep, plus=plus,
            dry_run=dry_run,
        )  # fmt: skip

    async def _clone(self, request: Request, who: Holder) -> RateCloneView:
        source = _query(request, "source")
        if not source:
            raise NotDone("source: which table?", field="source")
        dry_run = bool(read_switch(request, "dry_run"))
        return await self._office.clone_rates(who, source, _table(request), dry_run=dry_run)

    async def _explain(self, request: Request, who: Holder) -> PriceView:
        number = _query(request, "number").strip()
        if not number:
            raise NotDone("number: which number?", field="number")
        return await self._office.explain_price(
            who, number, account=_query(request, "account"), at=_query(request, "at"), trunk=_query(request, "trunk")
        )

    async def _margins(self, request: Request, who: Holder) -> object:
        by = cast("MarginsBy", _query(request, "by", "trunk"))
        return await self._office.margins(
            who, by=by, since=_query(request, "since"), until=_query(request, "until")
        )

    async def _apply(self, request: Request, who: Holder) -> AppliedView:
        dry_run = bool(read_switch(request, "dry_run"))
        data = await read_body(request, TOML, MOST_TOML_BYTES)
        try:
            text = data.decode()
        except UnicodeDecodeError as broken:
            raise NotDone("The document is not UTF-8 text.") from broken
        return await self._office.apply(who, text, dry_run=dry_run)


def _table(request: Request) -> str:
    return str(request.path_params["table"])


def _query(request: Request, name: str, otherwise: str = "") -> str:
    return request.query_params.get(name, otherwise)
