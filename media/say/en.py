"""How English says digits, numbers and money: rows of bare clip names of media/prompts/en."""

from __future__ import annotations

from collections.abc import Iterator

from media.say import digits

__all__ = ["digits", "money", "number"]

_SCALES = ((1_000_000, "million"), (1_000, "thousand"), (100, "hundred"))
_UNITS = {"USD": ("dollar", "dollars", "cent", "cents"), "EUR": ("euro", "euros", "cent", "cents")}
_UNITS |= {code: _UNITS["USD"] for code in ("CAD", "AUD", "NZD")} | {"GBP": ("pound", "pounds", "penny", "pence")}


def number(value: int) -> tuple[str, ...]:
    """A whole number, below 1000 million either way."""
    return ("minus", *_cardinal(-value)) if value < 0 else tuple(_cardinal(value))


def money(micros: int, currency: str) -> tuple[str, ...]:
    """An amount in millionths, down to whole hundredths: `4 point 8 8 dollars`, `12 cents`, `1 euro`.

    Of a currency whose name was never recorded only the amount is said.
    """
    sign = ("minus",) if micros < 0 else ()
    whole, hundredths = divmod(abs(micros) // 10_000, 100)
    one, many, cent, cents = _UNITS.get(currency, ("", "", "", ""))
    if whole == 0 and hundredths and cent:
        said = (*number(hundredths), cent if hundredths == 1 else cents)
    elif hundredths:
        said = (*number(whole), "point", *digits(f"{hundredths:02}"), many)
    else:
        said = (*number(whole), one if whole == 1 else many)
    return sign + tuple(name for name in said if name)


def _cardinal(value: int) -> Iterator[str]:
    """The words of a number >= 0."""
    for scale, word in _SCALES:
        if value >= scale:
            yield from _cardinal(value // scale)
            yield word
            value %= scale
            if value == 0:
                return
    if value > 20 and value % 10:
        yield str(value - value % 10)
        value %= 10
    yield str(value)
