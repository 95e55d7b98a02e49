"""Small worlds of invoices, payments and remittance advice with the truth beside them, written the way people write."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import date, timedelta

FIRST_WORDS = (
    *("Amber", "Birch", "Cedar", "Delta", "Ember", "Fjord", "Granite", "Harbor", "Indigo", "Juniper", "Keystone"),
    *("Lantern", "Marble", "Nordic", "Orchard", "Prism", "Quarry", "Ridge", "Saffron", "Timber", "Umbra", "Velvet"),
    *("Willow", "Yarrow", "Zephyr"),
)
SECOND_WORDS = (
    *("Textile", "Bakery", "Plumbing", "Robotics", "Freight", "Dental", "Printing", "Marine", "Optics", "Catering"),
    *("Roofing", "Seeds"),
)
FORMS = ("Ltd", "Inc", "Group", "Holdings", "Works", "")
START = date(2024, 2, 5)


@dataclass(frozen=True)
class Invoice:
    number: str
    customer: str
    issued: date
    cents: int


@dataclass(frozen=True)
class Payment:
    number: str
    payer: str
    received: date
    cents: int
    note: str


@dataclass(frozen=True)
class AdviceLine:
    payment: str
    invoice: str
    cents: int
    memo: str


@dataclass
class World:
    """`truth` holds what of which payment settles which invoice, in cents; `kinds` counts the cases."""

    invoices: list[Invoice] = field(default_factory=list)
    payments: list[Payment] = field(default_factory=list)
    advice: list[AdviceLine] = field(default_factory=list)
    truth: dict[tuple[str, str], int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)


def make_world(invoice_count: int, seed: int, *, prefix: str = "BL-", width: int = 6) -> World:
    """Return a world of about so many invoices; the same seed gives the same."""
    return _Maker(random.Random(seed), invoice_count, prefix, width).world()


class _Maker:
    def __init__(self, rng: random.Random, invoice_count: int, prefix: str, width: int) -> None:
        self.rng, self.prefix, self.width = rng, prefix, width
        self.made = World()
        count = max(3, invoice_count // 6)
        self.customers = self._customers(count)
        self.open: dict[str, list[Invoice]] = {}
        for number in range(1, invoice_count + 1):
            self._invoice(number)

    def _customers(self, count: int) -> list[str]:
        names: list[str] = []
        while len(names) < count:
            words = [self.rng.choice(FIRST_WORDS), self.rng.choice(SECOND_WORDS), self.rng.choice(FORMS)]
            name = " ".join(word for word in words if word)
            if self.rng.random() < 0.15:
                name += f" Branch {self.rng.randint(2, 60)}"
            if name not in names:
                names.append(name)
        return names

    def _invoice(self, number: int) -> None:
        customer = self.rng.choice(self.customers)
        cents = self.rng.choice([round(10 ** self.rng.uniform(2, 5.3)) * 100, self.rng.randint(5_000, 9_000_000)])
        if self.rng.random() < 0.04:
            cents = -round(cents * 0.2)
        issued = START + timedelta(days=number * 90 // (len(self.customers) * 6 + 1))
        invoice = Invoice(f"{self.prefix}{number:0{self.width}d}", customer, issued, cents)
        self.made.invoices.append(invoice)
        self.open.setdefault(customer, []).append(invoice)

    def world(self) -> World:
        cases = (
            (self._single, 34),
            (self._several, 14),
            (self._several_and_part, 6),
            (self._part, 9),
            (self._instalments, 4),
            (self._discount, 8),
            (self._deduction, 8),
            (self._too_much, 4),
            (self._credit, 6),
            (self._twice, 4),
            (self._silent, 8),
            (self._foreign, 3),
        )
        names, weights = [case for case, _ in cases], [weight for _, weight in cases]
        while any(self.open.values()):
            customer = self.rng.choice([name for name, items in self.open.items() if items])
            if self.rng.random() < 0.03:
                self.open[customer].pop()
                continue
            case = self.rng.choices(names, weights)[0]
            case(customer)
            self.made.kinds[case.__name__] = self.made.kinds.get(case.__name__, 0) + 1
        order = list(range(len(self.made.advice)))
        self.rng.shuffle(order)
        self.made.advice = [self.made.advice[at] for at in order]
        return self.made

    def _take(self, customer: str, *, positive: bool = True) -> Invoice | None:
        fitting = [item for item in self.open[customer] if (item.cents > 0) == positive]
        if not fitting:
            return None
        chosen = self.rng.choice(fitting)
        self.open[customer].remove(chosen)
        return chosen

    def _pay(self, customer: str, issued: date, cents: int, *, payer: str | None = None, after: int = 0) -> Payment:
        number = f"RC{len(self.made.payments) + 1:05d}"
        received = issued + timedelta(days=self.rng.randint(5, 70) + after)
        note = self.rng.choice([f"TRF {self.rng.randint(10**6, 10**7)}", f"CHQ {self.rng.randint(100, 999)}", "ONLINE"])
        payment = Payment(number, payer or self._shortened(customer), received, cents, note)
        self.made.payments.append(payment)
        return payment

    def _apply(
        self, payment: Payment, invoice: Invoice, cents: int, memo: str = "", *, line: int | None = None
    ) -> None:
        self.made.truth[payment.number, invoice.number] = cents
        self._advise(payment, invoice.number, cents if line is None else line, memo)

    def _advise(self, payment: Payment, number: str, cents: int, memo: str) -> None:
        self.made.advice.append(AdviceLine(payment.number, self._quoted(number), cents, memo))

    def _single(self, customer: str) -> None:
        invoice = self._take(customer) or self._take(customer, positive=False)
        if invoice:
            self._apply(self._pay(customer, invoice.issued, invoice.cents), invoice, invoice.cents)

    def _several(self, customer: str) -> None:
        items = [item for _ in range(self.rng.randint(2, 5)) if (item := self._take(customer))]
        if items:
            payment = self._pay(customer, max(item.issued for item in items), sum(item.cents for item in items))
            for item in items:
                self._apply(payment, item, item.cents)

    def _several_and_part(self, customer: str) -> None:
        items = [item for _ in range(self.rng.randint(2, 4)) if (item := self._take(customer))]
        if not items:
            return
        parts = [item.cents for item in items]
        parts[-1] = round(parts[-1] * self.rng.uniform(0.3, 0.8))
        payment = self._pay(customer, max(item.issued for item in items), sum(parts))
        for item, part in zip(items, parts, strict=True):
            self._apply(payment, item, part)

    def _part(self, customer: str) -> None:
        if invoice := self._take(customer):
            part = round(invoice.cents * self.rng.uniform(0.2, 0.8))
            memo = self.rng.choice(["Progress payment", "Partial, rest next month", f"Instalment 1 re {self.prefix}3"])
            self._apply(self._pay(customer, invoice.issued, part), invoice, part, memo)

    def _instalments(self, customer: str) -> None:
        if invoice := self._take(customer):
            first = round(invoice.cents * self.rng.uniform(0.3, 0.6))
            self._apply(self._pay(customer, invoice.issued, first), invoice, first, "Instalment 1 of 2")
            rest = invoice.cents - first
            self._apply(self._pay(customer, invoice.issued, rest, after=30), invoice, rest, "Instalment 2 of 2")

    def _discount(self, customer: str) -> None:
        if invoice := self._take(customer):
            paid = invoice.cents - round(invoice.cents * self.rng.choice([0.01, 0.015, 0.02, 0.03]))
            memo = self.rng.choice(["less 2% skonto", "Early payment discount", "as per terms"])
            self._apply(self._pay(customer, invoice.issued, paid), invoice, paid, memo)

    def _deduction(self, customer: str) -> None:
        if invoice := self._take(customer):
            gap = round(invoice.cents * self.rng.uniform(0.03, 0.2))
            memo = f"{self.rng.choice(['Damaged pallets', 'Short delivery claim', 'Penalty'])} {gap / 100:.2f}"
            self._apply(self._pay(customer, invoice.issued, invoice.cents - gap), invoice, invoice.cents - gap, memo)

    def _too_much(self, customer: str) -> None:
        if invoice := self._take(customer):
            paid = round(invoice.cents * self.rng.uniform(1.02, 1.15))
            payment = self._pay(customer, invoice.issued, paid)
            self._apply(payment, invoice, invoice.cents, "on account", line=paid)

    def _credit(self, customer: str) -> None:
        credit, invoice = self._take(customer, positive=False), self._take(customer)
        if credit is None or invoice is None or credit.cents + invoice.cents <= 0:
            for item in (credit, invoice):
                if item:
                    self.open[customer].append(item)
            self._single(customer)
            return
        payment = self._pay(customer, max(credit.issued, invoice.issued), credit.cents + invoice.cents)
        self._apply(payment, invoice, invoice.cents)
        self._apply(payment, credit, credit.cents, "credit taken")

    def _twice(self, customer: str) -> None:
        if invoice := self._take(customer):
            payment = self._pay(customer, invoice.issued, invoice.cents)
            self._apply(payment, invoice, invoice.cents)
            again = self._pay(customer, payment.received, invoice.cents)
            self._advise(again, invoice.number, invoice.cents, "")

    def _silent(self, customer: str) -> None:
        if invoice := self._take(customer):
            payment = self._pay(customer, invoice.issued, invoice.cents)
            self.made.truth[payment.number, invoice.number] = invoice.cents

    def _foreign(self, customer: str) -> None:
        """A payment that no invoice of the list explains."""
        payment = self._pay(customer, START + timedelta(days=60), self.rng.randint(10_000_000, 20_000_000))
        if self.rng.random() < 0.5:
            self.made.advice.append(
                AdviceLine(payment.number, f"{self.prefix}97{self.rng.randint(1000, 9999)}", payment.cents, "Advance")
            )

    def _shortened(self, name: str) -> str:
        words = name.split()
        plain = [word for word in words if word not in FORMS and not word.isdigit() and word != "Branch"]
        tail = words[words.index("Branch") :] if "Branch" in words else []
        way = self.rng.random()
        if way < 0.6:
            return name
        if way < 0.7:
            return name.upper()
        if way < 0.8:
            return " ".join([plain[0], plain[1][:4], *tail])
        if way < 0.88:
            return " ".join([*plain, *tail])
        if way < 0.94:
            return " ".join(["".join(word[0] for word in words if word[0].isalpha() and word != "Branch"), *tail])
        return name[: max(8, len(name) - 5)] if not tail else name

    def _quoted(self, number: str) -> str:
        digits, way = number.removeprefix(self.prefix), self.rng.random()
        if way < 0.8:
            return number
        if way < 0.84:
            return f"Invoice #{int(digits)}"
        if way < 0.88:
            return f"{self.prefix.lower()}{int(digits)}"
        if way < 0.92:
            at = self.rng.randrange(len(digits) - 1)
            return self.prefix + digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :]
        if way < 0.96:
            at = self.rng.randrange(len(digits))
            return self.prefix + digits[:at] + self.rng.choice("123456789") + digits[at + 1 :]
        return f"PO-{self.rng.randint(10_000, 99_999)}"
