"""Text that a spreadsheet would run as a formula, made plain text.

The rule follows OWASP's advice on CSV injection: a cell whose first visible character is = + - @ (or one of their
full-width twins), or that begins with a tab, a carriage return or a line feed, gets an apostrophe before it. One
exception: a lone signed number such as -12.50 or +4930123 stays as it is. It can call nothing, and an apostrophe would
turn every negative amount of a text column into a word. A number with anything beside it (`+49 30 123`, `-5 EUR`,
`-1+2`) gets the apostrophe.
"""

from __future__ import annotations

import re

_UNSEEN = r"[\x00-\x20\x7f\x{a0}\x{2000}-\x{200f}\x{2028}-\x{202f}\x{3000}\x{feff}]"
OPENS_FORMULA = rf"^(?:[\t\r\n]|{_UNSEEN}*[-=+@\x{{ff1d}}\x{{ff0b}}\x{{ff0d}}\x{{ff20}}])"
LONE_NUMBER = r"^[-+][.,]?[0-9]+(?:[.,][0-9]+)*$"
"""Both as RE2 spells them."""

_OPENS = re.compile(re.sub(r"\\x\{([0-9a-f]+)\}", lambda found: re.escape(chr(int(found[1], 16))), OPENS_FORMULA))
_NUMBER = re.compile(LONE_NUMBER.replace("$", r"\Z"))


def neutralise(text: str) -> str:
    """Return `text` with an apostrophe before it when a spreadsheet could take it for a formula."""
    return f"'{text}" if _OPENS.match(text) and not _NUMBER.match(text) else text
