"""One module per language: how digits, numbers and money become a row of clip names, pure."""

__all__ = ["digits"]

_SYMBOLS = {"*": "star", "#": "hash", "+": ""}


def digits(text: str) -> tuple[str, ...]:
    """One clip for each key of a number; separators are silent."""
    names = (_SYMBOLS.get(char, char if char.isdecimal() and char.isascii() else "") for char in text)
    return tuple(name for name in names if name)
