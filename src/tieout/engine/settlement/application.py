"""Which payment settles which invoice, and how much of it: what advice says, held against party, amount and date.

Rules only, over values: no database, no clock. The surest line is settled first and takes from what is open; each next
one is judged by what is then left. Order of input rows does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence

from tieout.engine.settlement.advised import Advised, believed
from tieout.engine.settlement.ledger import Ledger
from tieout.engine.settlement.open_items import Item, Line, Settled, Terms
from tieout.engine.settlement.quoted import Register, is_vague, quoted_in
from tieout.engine.settlement.unadvised import Unadvised


def lines_in_texts(invoices: Sequence[Item], payments: Sequence[Item], lines: Sequence[Line]) -> list[Line]:
    """Return a line for each invoice that the text of a payment names, where no advice speaks of the payment.

    They are numbered below zero, for they stand in no file.
    """
    register = Register((place, item.reference) for place, item in enumerate(invoices) if item.reference)
    advised = {line.payment_row for line in lines}
    found: list[Line] = []
    for payment in payments:
        if payment.row not in advised:
            quoted = [text for text in quoted_in(payment.text) if _is_named(register, text)]
            found += [Line(-len(found) - 1 - at, payment.row, text, None) for at, text in enumerate(quoted)]
    return found


def _is_named(register: Register, quote: str) -> bool:
    found = register.find(quote)
    return "exact" in found.values() or (bool(found) and not is_vague(quote))


def settle(invoices: Sequence[Item], payments: Sequence[Item], lines: Sequence[Line], terms: Terms) -> Settled:
    """Apply payments to invoices. No payment is applied beyond its amount, and no invoice beyond what is open of it."""
    ledger = Ledger(invoices, payments, terms)
    advised = Advised(ledger)
    advised.apply(believed(ledger, lines))
    Unadvised(ledger).apply()
    return ledger.settlement()
