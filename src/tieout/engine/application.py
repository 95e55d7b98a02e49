"""Which payment settles which invoice, and how much of it: what advice says, held against party, amount and date.

Rules only, over values: no database, no clock. The surest line is settled first and takes from what is open; each next
one is judged by what is then left. Order of input rows does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence

from tieout.engine.advised import Advised, believed
from tieout.engine.ledger import Ledger
from tieout.engine.open_items import Item, Line, Settled, Terms
from tieout.engine.unadvised import Unadvised


def settle(invoices: Sequence[Item], payments: Sequence[Item], lines: Sequence[Line], terms: Terms) -> Settled:
    """Apply payments to invoices. No payment is applied beyond its amount, and no invoice beyond what is open of it."""
    ledger = Ledger(invoices, payments, terms)
    advised = Advised(ledger)
    advised.apply(believed(ledger, lines))
    Unadvised(ledger).apply()
    return ledger.settlement()
