"""How Russian says digits, numbers and money: rows of bare clip names of media/prompts/ru."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from media.say import digits

__all__ = ["digits", "money", "number"]


class _Noun(NamedTuple):
    """One thing, two to four of it, more of it; `feminine`: одна, две."""

    one: str
    few: str
    many: str
    feminine: bool = False


def _noun(word: str, feminine: bool = False) -> _Noun:
    return _Noun(f"{word}-one", f"{word}-few", f"{word}-many", feminine)


_SCALES = ((1_000_000, _noun("million")), (1_000, _noun("thousand", feminine=True)))
_CENT = _noun("cent")
_UNITS = {
    "USD": (_noun("dollar"), _CENT),
    "EUR": (_Noun("euro", "euro", "euro"), _CENT),
    "GBP": (_noun("pound"), _noun("penny")),
    "RUB": (_noun("rouble"), _noun("kopeck", feminine=True)),
}
_UNITS |= dict.fromkeys(("CAD", "AUD", "NZD"), _UNITS["USD"])


def number(value: int) -> tuple[str, ...]:
    """A whole number in the masculine, below 1000 million either way."""
    return ("minus", *_cardinal(-value)) if value < 0 else tuple(_cardinal(value))


def money(micros: int, currency: str) -> tuple[str, ...]:
    """An amount in millionths, down to whole hundredths: четыре доллара восемьдесят восемь центов, одна копейка.

    Of a currency whose name was never recorded only the amount is said: четыре точка восемь восемь.
    """
    sign = ("minus",) if micros < 0 else ()
    whole, hundredths = divmod(abs(micros) // 10_000, 100)
    if currency not in _UNITS:
        return (*sign, *_cardinal(whole), *(("point", *digits(f"{hundredths:02}")) if hundredths else ()))
    unit, part = _UNITS[currency]
    said = _counted(whole, unit) if whole or not hundredths else ()
    return (*sign, *said, *(_counted(hundredths, part) if hundredths else ()))


def _counted(value: int, noun: _Noun) -> tuple[str, ...]:
    """So many of a thing, in the form that the number asks for: 1, 21 one; 2-4, 22-24 few; the rest and 11-14 many."""
    ones, teens = value % 10, 10 < value % 100 < 20
    form = noun.many if teens or not 1 <= ones <= 4 else noun.one if ones == 1 else noun.few
    return (*_cardinal(value, noun.feminine), form)


def _cardinal(value: int, feminine: bool = False) -> Iterator[str]:
    """The words of a number >= 0."""
    if value == 0:
        yield "0"
    for scale, noun in _SCALES:
        if value >= scale:
            yield from _counted(value // scale, noun)
            value %= scale
    if value >= 100:
        yield str(value - value % 100)
        value %= 100
    if value > 20:
        yield str(value - value % 10)
        value %= 10
    if value:
        yield f"{value}-feminine" if feminine and value <= 2 else str(value)
