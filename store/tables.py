"""The tables. Money is integer micros, times are unix seconds; every change here is also a file in store/migrations."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, Table

__all__ = [
    "accounts", "bindings", "blocked", "call_legs", "callers", "callnow", "calls", "charging_plans", "codes", "dids",
    "extensions", "failures", "holds", "intervals", "ladders", "ledger", "link_keys", "links", "meta", "metadata",
    "rates", "requests", "routes", "tokens", "trunks",
]  # fmt: skip

metadata = sa.MetaData(naming_convention={
    "ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s", "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
})
RowId = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite numbers rows by itself only for INTEGER


def _id() -> Column[int]:
    return Column("id", RowId, primary_key=True)


def _text(name: str, length: int = 255, default: str = "") -> Column[str]:
    return Column(name, sa.String(length), nullable=False, default=default, server_default=default)


def _micros(name: str) -> Column[int]:
    return Column(name, sa.BigInteger, nullable=False, default=0, server_default="0")


def _flag(name: str) -> Column[bool]:
    return Column(name, sa.Boolean, nullable=False)


def _number(name: str) -> Column[int]:
    return Column(name, sa.Integer, nullable=False)


def _set(name: str, default: int) -> Column[Any]:
    """A number, or a flag, that older rows have not."""
    flag = isinstance(default, bool)
    return Column(name, sa.Boolean if flag else sa.Integer, nullable=False, server_default=str(int(default)))


def _json(name: str, default: str) -> Column[Any]:
    return Column(name, sa.JSON, nullable=False, server_default=default)


def _time(name: str, nullable: bool = True) -> Column[float]:
    return Column(name, sa.Double, nullable=nullable)


def _ref(name: str, target: str, nullable: bool = False, **more: Any) -> Column[int]:
    return Column(name, RowId, sa.ForeignKey(target), nullable=nullable, **more)


accounts = Table(
    "accounts", metadata, _id(),
    Column("name", sa.String(255), nullable=False, unique=True),
    _ref("parent_id", "accounts.id", nullable=True),
    _text("currency", 3), _text("plan", 16), _flag("call_api"),
    Column("credit_limit", sa.BigInteger), Column("dial_plan", sa.JSON, nullable=False), _text("rate_table"),
    _micros("balance"), _micros("held"),
    _text("kind", 16, "client"),  # or `caller`: the wallet of an authorised CallerID, whose plan may be `unlimited`
    Column("caller_quota", sa.Integer), _text("charging_plan"),
    sa.CheckConstraint("plan <> 'prepaid' OR balance >= held", name="prepaid_never_negative"),
    sa.CheckConstraint("held >= 0", name="held_not_negative"),
)
extensions = Table(
    "extensions", metadata, _id(),
    Column("number", sa.String(32), nullable=False, unique=True), _ref("account_id", "accounts.id"),
    _text("kind", 16), _text("name"), _text("public_number", 32), _text("ha1_md5", 32), _text("ha1_sha256", 64),
    _number("ring_s"), _number("confirm_s"), Column("caller_id", sa.JSON, nullable=False),
    _json("callback", "{}"), _text("redirects", 16, "refuse"),
    _set("prack", False), _set("session_expires_s", 1800), _set("min_se_s", 90), _set("transfer", True),
)
callnow = Table(
    "callnow", metadata, _ref("extension_id", "extensions.id", primary_key=True),
    _flag("enabled"), Column("page_id", sa.String(64), nullable=False, unique=True),
    _flag("paused"), _flag("reject_while_on_phone"), _flag("confirm"), _flag("show_name"), _flag("ask_name"),
    _flag("image_validation"), _text("language", 16), Column("message", sa.Text, nullable=False),
    _flag("announce_to_visitor"), _number("calls_a_day"), _number("longest_call_s"),
    Column("money_a_day", sa.BigInteger),
    Column("highest_price_a_minute", sa.BigInteger), _json("allowed", "[]"), _json("forbidden", "[]"),
    _json("rules", "[]"), _text("interval"),
    _set("later_s", 900), _set("slot_min", 0), _set("slot_days", 7), _set("most_waiting", 20), _set("grace_s", 900),
    _set("tries", 0), _set("try_after_s", 600), _set("quarantine_after", 0), _set("quarantine_s", 86400),
)
trunks = Table(
    "trunks", metadata, _id(), Column("name", sa.String(255), nullable=False, unique=True),
    _text("host"), _number("port"), _text("user"), _text("password"), _flag("trusted"),
    Column("sources", sa.JSON, nullable=False), _text("number_format", 16), _text("country", 2),
    Column("codecs", sa.JSON, nullable=False), _number("ring_s"), _text("media", 16),
    _text("pai", 16, "number"), _text("proxy"), _set("register", False), _set("register_expires_s", 3600),
    _set("qualify_s", 0), _set("down_after", 3), _set("up_after", 2), _set("connect_s", 5),
    _text("out_strip", 32), _text("out_prefix", 32), _text("in_strip", 32), _text("in_prefix", 32),
    _json("headers", "{}"), _text("send_caller", 16, "from"), _text("read_caller", 16, "pai"),
    Column("channels", sa.Integer), Column("calls_per_s", sa.Integer),
    _text("transport", 8), _set("stay_on_udp", False), _text("tls_ca"), _text("tls_certificate"), _text("tls_key"),
    _text("tls_client"),
    _text("rate_table"), _json("failover", "[]"),
    _set("prack", False), _set("session_expires_s", 1800), _set("min_se_s", 90),
    _set("sign", True), _text("verify", 16, "note"),
)
dids = Table(
    "dids", metadata, _id(), Column("number", sa.String(32), nullable=False, unique=True),
    _ref("extension_id", "extensions.id", nullable=True), _ref("trunk_id", "trunks.id", nullable=True),
    _ref("account_id", "accounts.id"),
)
routes = Table(
    "routes", metadata, _id(), Column("prefix", sa.String(32), nullable=False), _ref("trunk_id", "trunks.id"),
    _number("priority"), _set("weight", 0), _text("interval"), sa.UniqueConstraint("prefix", "trunk_id", "interval"),
)
rates = Table(
    "rates", metadata, _id(), Column("rate_table", sa.String(255), nullable=False),
    Column("prefix", sa.String(32), nullable=False), _text("description"), _micros("connection_fee"),
    _number("first_interval_s"), _micros("first_cost"), _number("increment_s"), _micros("increment_cost"),
    _micros("minimum"), Column("maximum", sa.BigInteger), _text("interval"),
    Column("valid_from", sa.Double, nullable=False, default=0, server_default="0"), _time("valid_until"),
    sa.UniqueConstraint("rate_table", "prefix", "interval", "valid_from"),
)
charging_plans = Table(
    "charging_plans", metadata, _id(), Column("name", sa.String(255), nullable=False, unique=True),
    _text("method", 16), _text("rate_table"), _micros("factor"), _micros("adjustment"), _number("free_minutes"),
    Column("free_prefixes", sa.JSON, nullable=False), _text("free_period", 16), _text("zone", 64),
    _micros("monthly_fee"),
)
intervals = Table(  # SPEC 68-70; an account's own, or the operator's
    "intervals", metadata, _id(), Column("name", sa.String(255), nullable=False),
    _ref("account_id", "accounts.id", nullable=True), _text("zone", 64), _text("algorithm", 16),
    Column("limits", sa.JSON, nullable=False), Column("without", sa.JSON, nullable=False),
)
ledger = Table(  # append-only: triggers refuse UPDATE and DELETE; the sum of `amount` is the account's balance
    "ledger", metadata, _id(), _ref("account_id", "accounts.id"), _time("at", nullable=False), _text("kind", 16),
    _micros("amount"), _micros("asked"), _micros("balance_after"),
    _ref("hold_id", "holds.id", nullable=True, unique=True), Column("order_number", sa.String(64)),
    Column("left", sa.BigInteger),  # recharges: what could be used after it; NULL: no limit
    sa.UniqueConstraint("account_id", "order_number"), sa.Index(None, "account_id", "at"),
)
holds = Table(
    "holds", metadata, _id(), Column("call_id", sa.String(255), nullable=False),
    Column("leg", sa.String(32), nullable=False), _ref("account_id", "accounts.id"),
    _text("extension", 32), _text("number", 32), Column("rate", sa.JSON, nullable=False),
    _micros("amount"), _time("placed_at", nullable=False), _time("answered_at"), _time("heartbeat_at"),
    _time("settled_at"), _micros("charged"),
    _set("free_s", 0), _text("free_period"),  # free seconds set aside, once settled those used
    _text("trunk"), Column("buy_rate", sa.JSON(none_as_null=True)),  # by which the answered leg left
    sa.UniqueConstraint("call_id", "leg"), sa.Index(None, "settled_at"), sa.Index(None, "extension", "placed_at"),
    sa.Index(None, "account_id", "free_period"),
)
requests = Table(
    "requests", metadata, Column("token", sa.String(64), primary_key=True), _time("at", nullable=False),
    _text("page_id", 64), _text("extension", 32), _text("name"), _text("number", 64), _text("ip", 64),
    _text("reason", 64), _text("call_id"), _micros("cost"), _time("ended"),
    _text("kind", 16, "callnow"), _text("trunk"), _text("link", 16),
    _time("due"), _set("tries", 0),  # when it is called, or was last; NULL: it never waited
    _set("more", 0),  # refusals that it stands for
    sa.Index(None, "number"), sa.Index(None, "page_id", "at"), sa.Index(None, "extension", "at"),
    sa.Index(None, "call_id"), sa.Index(None, "due"),
)
calls = Table(
    "calls", metadata, Column("id", sa.String(255), primary_key=True), _text("kind", 16),
    _ref("account_id", "accounts.id", nullable=True), _text("extension", 32), _text("from_", 64), _text("to", 64),
    _time("started", nullable=False), _time("ended"), _text("reason", 64), _number("talk_ms"), _micros("cost"),
    _text("currency", 3), Column("buy", sa.BigInteger),  # what it cost us; NULL: not known
    _text("verified", 32),
    sa.Index(None, "started"), sa.Index(None, "to"), sa.Index(None, "from_"),
)
call_legs = Table(
    "call_legs", metadata, _id(), Column("call_id", sa.String(255), nullable=False, index=True), _number("lane"),
    _text("direction", 8), _text("from_", 64), _text("to", 64), _text("party"), _time("invited", nullable=False),
    _time("answered"), _time("ended"), _number("status"), _text("cause"), _number("talk_ms"), _micros("cost"),
    Column("buy", sa.BigInteger),
)
ladders = Table(  # numbered one by one, so that the oldest are those far enough below the newest
    "ladders", metadata, _id(), Column("call_id", sa.String(255), nullable=False, unique=True),
    _time("at", nullable=False), Column("rows", sa.LargeBinary, nullable=False),
)
callers = Table(  # authorised CallerIDs (SPEC 53-55)
    "callers", metadata, _id(), _ref("extension_id", "extensions.id"), _ref("account_id", "accounts.id", unique=True),
    Column("number", sa.String(32), nullable=False), _flag("enabled"), _text("pin_hash"), _text("language", 16),
    _time("created", nullable=False), sa.UniqueConstraint("extension_id", "number"),
)
failures = Table(  # wrong passwords and PINs (SPEC H12)
    "failures", metadata, _id(), _ref("extension_id", "extensions.id"),
    Column("number", sa.String(32), nullable=False), _time("at", nullable=False),
    sa.Index(None, "extension_id", "number", "at"),
)
blocked = Table(  # numbers that no CallNow request reaches (SPEC A12.6)
    "blocked", metadata, _id(), _ref("extension_id", "extensions.id", nullable=True),  # NULL: no page at all
    Column("number", sa.String(32), nullable=False), _text("by", 16), _time("at", nullable=False),
    sa.Index(None, "number"),
)
codes = Table(  # spoken to the number that an extension wants to show (SPEC 39); the code itself is never kept
    "codes", metadata, _ref("extension_id", "extensions.id", primary_key=True),
    Column("number", sa.String(32), nullable=False), Column("call_id", sa.String(255), nullable=False, unique=True),
    _text("code_hash"), _time("spoken_at"), _number("tries"),
)
link_keys = Table(  # what signs links; an empty one signs no more, and its links are dead
    "link_keys", metadata, _id(), Column("secret", sa.LargeBinary, nullable=False), _time("made", nullable=False),
)
links = Table(  # signed links to CallNow pages (SPEC A12.7)
    "links", metadata, Column("id", sa.String(16), primary_key=True), _ref("extension_id", "extensions.id"),
    _ref("key_id", "link_keys.id"), _text("number", 32), _text("name"), _text("label"), _number("uses"),
    _number("used"), _time("made", nullable=False), _time("expires", nullable=False), _time("last_used"),
    _time("revoked"), sa.Index(None, "extension_id", "made"),
)
tokens = Table(  # of the API; the token itself is never kept
    "tokens", metadata, _id(), Column("name", sa.String(255), nullable=False, unique=True),
    _ref("account_id", "accounts.id", nullable=True), Column("sha256", sa.String(64), nullable=False, unique=True),
    _time("created", nullable=False), _time("used"),
)
bindings = Table(
    "bindings", metadata, Column("number", sa.String(32), primary_key=True),
    Column("contact", sa.String(512), primary_key=True), _text("received", 128), _time("expires", nullable=False),
    _text("call_id"), _number("cseq"), _text("user_agent"), _text("path", 1024),
    _text("instance"), Column("reg_id", sa.Integer, primary_key=True, server_default="0"), _text("seen_ip", 64),
)
meta = Table("meta", metadata, Column("key", sa.String(64), primary_key=True), Column("value", sa.Text, nullable=False))
