"""What every phone of the matrix can be told: one vocabulary over five programs of others."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

import pytest

__all__ = ["Phone", "Seat", "library"]


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a phone sits and who it is."""

    folder: Path
    server: str
    """`host:port`."""
    address: str
    prefix: tuple[str, ...]
    """Words before a command that make it run at that address."""
    speaks: Path
    """The WAV that it says in each call."""
    user: str = "001*002"
    password: str = "secret"


class Phone(abc.ABC):
    """One phone at its seat: `async with Baresip(seat) as phone`.

    Waits raise TimeoutError with what came instead; `call` counts calls from 1 since the phone began.
    """

    name: ClassVar[str]
    ends_what_is_cancelled: ClassVar[bool] = True
    """Whether it says 487 after a CANCEL, as RFC 3261 9.2 asks."""
    silent: ClassVar[bool] = False
    """Whether it sends no sound of its own that could be measured."""

    @abc.abstractmethod
    def __init__(self, seat: Seat) -> None: ...

    @classmethod
    @abc.abstractmethod
    def version(cls) -> str:
        """As found on this machine; skips the test where it is missing."""

    @abc.abstractmethod
    async def __aenter__(self) -> Self: ...

    @abc.abstractmethod
    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @abc.abstractmethod
    async def register(self) -> None:
        """Register anew."""

    @abc.abstractmethod
    async def dial(self, number: str) -> None:
        """Place a call."""

    @abc.abstractmethod
    async def incoming(self, call: int = 1) -> None:
        """Wait until it rings."""

    @abc.abstractmethod
    async def answer(self) -> None:
        """Accept the call that rings."""

    @abc.abstractmethod
    async def established(self, call: int = 1) -> None:
        """Wait until it talks."""

    @abc.abstractmethod
    async def hangup(self) -> None:
        """End the call, or give up."""

    @abc.abstractmethod
    async def closed(self, call: int = 1) -> None:
        """Wait until a call has ended."""

    async def press(self, keys: str) -> None:
        """Send keys by RFC 4733."""
        raise NotImplementedError

    async def inform(self, keys: str) -> None:
        """Send keys by SIP INFO."""
        raise NotImplementedError

    async def hold(self) -> None:
        """Put the call on hold."""
        raise NotImplementedError

    async def resume(self) -> None:
        """Take the call back."""
        raise NotImplementedError

    async def transfer(self, number: str) -> None:
        """Send whom it talks with on to a number."""
        raise NotImplementedError

    async def consult(self, number: str) -> None:
        """Put the call on hold, and place another."""
        raise NotImplementedError

    async def join(self) -> None:
        """Let whom it talks with in both calls talk with each other."""
        raise NotImplementedError

    def keys(self) -> str:
        """The keys it heard so far."""
        raise NotImplementedError

    def tone_s(self) -> float:
        """Seconds of the far end's tone that it heard in its last call; whole a moment after the call."""
        raise NotImplementedError


def library(name: str) -> str:
    """The version of a Python package; skips the test where it is missing."""
    try:
        return version(name)
    except ModuleNotFoundError:
        pytest.skip(f"needs the Python package {name}")
