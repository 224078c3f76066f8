"""Values that a setting cannot have, made from its type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from msgspec import Meta

from b2bua.plan.entries import Money

__all__ = ["HUGE", "nonsense", "takes_any_text"]

HUGE = 2**63
"""More than a column takes."""


def nonsense(hint: Any) -> Iterator[Any]:
    """Values of another type, outside the range, or not among the choices."""
    limits = Meta()
    if get_origin(hint) in (Union, UnionType):  # none is written by leaving the key away
        hint = next(each for each in get_args(hint) if each is not NoneType)
    if get_origin(hint) is Annotated:
        hint, limits = get_args(hint)
    origin = get_origin(hint) or hint
    if origin is Literal:
        yield from ("nonsense", 999)
    elif origin is bool:
        yield from ("yes", 1)
    elif origin is int:
        yield from ("5", 1.5, True, HUGE, -HUGE)
        yield from (each for each in (_below(limits.ge), _above(limits.le)) if each is not None)
    elif origin is Money:
        yield from (0.5, 1, "-1", "x", "0.0000001", str(HUGE))
    elif origin is str:
        yield from (5, True, ["text"])
    elif origin is tuple:
        yield "text"
        yield from ([each] for each in nonsense(get_args(hint)[0]))
    elif origin is Mapping or is_dataclass(origin):
        yield from (5, "text")
    else:
        raise AssertionError(f"what is no {hint}?")


def takes_any_text(hint: Any) -> bool:
    """Whether its type lets any text in, be it in a list or a table; [server] is read by hand."""
    if get_origin(hint) in (Union, UnionType):
        hint = next(each for each in get_args(hint) if each is not NoneType)
    return hint in (None, str) or get_origin(hint) is Mapping or get_args(hint)[:1] == (str,)


def _below(least: float | None) -> int | None:
    return None if least is None else int(least) - 1


def _above(most: float | None) -> int | None:
    return None if most is None else int(most) + 1
