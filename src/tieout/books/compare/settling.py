"""How payments are applied to invoices: which columns name the party, and how a third file, the advice, is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb
from sqlglot import exp

from tieout.books.compare.column_profile import Asked, profile_side
from tieout.books.compare.column_type import TEXT
from tieout.books.compare.names import is_technical, says
from tieout.books.compare.settled import InferOptions, UnknownColumn, find_name
from tieout.books.compare.statements import drop_all, rows_of
from tieout.books.compare.wording import count, decided, percent
from tieout.core.errors import TieoutError
from tieout.engine.macros import add_macros
from tieout.engine.parse import parse_expression
from tieout.engine.plan import ColumnType, Decision, Plan, Settlement, SidePlan, SignedColumn
from tieout.engine.settlement.party import Parties, take_apart
from tieout.intake.records import LINE, ROW_NO
from tieout.store.trees import call, cast, column, is_present, named, sql_of, string

WINDOW_DAYS = 180
"""So long before or after its payment an invoice may be dated, where nothing else is said: terms run to 90 days."""
LINKED = 0.5
QUOTED = 0.2
"""So many lines must name a known payment; fewer need name a known invoice, for that is where the errors are."""
UNIQUE = 0.8
TRIED_NAMES = 60
KNOWN_NAMES = 3_000
SURELY_ALIKE = 0.75
SHARED_NAMES = 0.5
SHARED_NAMES_TOLD = 0.2
"""So many names must be alike on both sides; fewer where the columns say themselves that they name parties."""
TIED = 0.3
MAX_MEMOS = 3


class AdviceUnread(TieoutError):
    """It cannot be told how advice is to be read, or whether it is; the remedy names the option that settles it."""

    code = "advice_unread"


@dataclass(frozen=True)
class _Relation:
    """A relation of inference: its name, and the type of each of its columns."""

    name: str
    types: Mapping[str, str]

    @property
    def table(self) -> exp.Expr:
        return exp.Table(this=exp.to_identifier(self.name, quoted=True))


@dataclass(frozen=True)
class _Link:
    """A column of advice that names rows of a side by one of its columns, and how many lines do."""

    advice: str
    own: str
    share: float
    lines: int

    @property
    def label(self) -> str:
        return self.advice if self.advice == self.own else f"{self.advice} = {self.own}"


def with_settlement(
    con: duckdb.DuckDBPyConnection, plan: Plan, advice: tuple[str, str] | None, options: InferOptions
) -> Plan:
    """Return the plan with how payments are applied, if they are to be: advice is given, or parties pay for groups.

    `advice` is the relation of its rows and its name. The sides are the relations ours_sample and theirs_sample.
    Raises AdviceUnread when advice cannot be linked to both sides, and UnknownColumn.
    """
    if not (plan.ours.amount and plan.theirs.amount):
        if advice is None:
            return plan
        raise AdviceUnread(
            f"{advice[1]} tells what was paid, and there are no amounts on both sides to apply.",
            subject="--advice",
            remedy="Name the amounts with --amount OURS=THEIRS.",
        )
    if advice is None and (plan.ours.key or plan.ours.group):
        return plan
    add_macros(con)
    ours, theirs = _relation(con, "ours_sample"), _relation(con, "theirs_sample")
    window_days = options.window_days if options.window_days is not None else max(plan.rules.window_days, WINDOW_DAYS)
    if advice is None:
        parties, said = _find_parties(con, plan, ours, theirs, frozenset(), is_told=True)
        if parties is None or not _are_repeated(con, ours, theirs, parties):
            return plan
        settlement = Settlement(*parties, _own_reference(con, plan, ours), window_days=window_days)
        return replace(plan, settlement=settlement, decisions=(*plan.decisions, *said))
    reader = _Reader(con, plan, options, _relation(con, advice[0]), advice[1], ours, theirs)
    return reader.plan_with_advice(window_days)


def _relation(con: duckdb.DuckDBPyConnection, name: str) -> _Relation:
    described = con.table(name)
    types = dict(zip(described.columns, [str(kind) for kind in described.types], strict=True))
    return _Relation(name, {key: kind for key, kind in types.items() if key not in (ROW_NO, LINE)})


class _Reader:
    """Finds out how the lines of advice are read."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        plan: Plan,
        options: InferOptions,
        advice: _Relation,
        name: str,
        ours: _Relation,
        theirs: _Relation,
    ) -> None:
        self.con, self.plan, self.options = con, plan, options
        self.advice, self.name, self.ours, self.theirs = advice, name, ours, theirs
        if not rows_of(con, exp.select(exp.Literal.number(1)).from_(advice.table).limit(1)):
            raise AdviceUnread(f"{name} has no rows.", subject="--advice", remedy="Leave --advice out.")
        try:
            self.columns = profile_side(con, "advice", advice.name, advice.types, Asked())
        finally:
            drop_all(con)

    def plan_with_advice(self, window_days: int) -> Plan:
        payment = self._payment()
        self.plan = _untied(self.plan, payment, self.options)
        invoice = self._invoice(payment)
        taken = {payment.advice, invoice.advice}
        amount, amount_said = self._amount(payment, taken)
        memos = self._memos(taken | {amount.column} if amount else taken)
        types = {c.name: c.type for c in self.columns}
        types |= {payment.advice: TEXT, invoice.advice: TEXT} | dict.fromkeys(memos, TEXT)
        advice = SidePlan(
            columns=types,
            key=(invoice.advice,),
            group=(payment.advice,),
            amount=(amount,) if amount else (),
            amount_exponent=self.plan.theirs.amount_exponent,
            text=memos,
        )
        references = frozenset({("ours", invoice.own), ("theirs", payment.own)})
        parties, said = _find_parties(self.con, self.plan, self.ours, self.theirs, references)
        settlement = Settlement(*(parties or ("", "")), invoice.own, payment.own, window_days, advice)
        decisions = (
            *self.plan.decisions,
            _link_decision("advice payment", payment, "a payment", "--advice-payment"),
            _link_decision("advice invoice", invoice, "an invoice", "--advice-invoice"),
            *amount_said,
            *said,
        )
        return replace(self.plan, settlement=settlement, decisions=decisions)

    def _payment(self) -> _Link:
        links = self._links(self.options.advice_payment, "--advice-payment", self.theirs, self.plan.theirs, set())
        asked = self.options.advice_payment is not None
        if links and (asked or links[0].share >= LINKED):
            return links[0]
        best = f" {links[0].label} comes nearest, on {percent(links[0].share)} of the lines." if links else ""
        raise AdviceUnread(
            f"No column of {self.name} names the payments of the second file.{best}",
            subject="--advice",
            remedy="Name the column with --advice-payment COLUMN, or COLUMN=THEIRS.",
        )

    def _invoice(self, payment: _Link) -> _Link:
        taken = {payment.advice}
        links = self._links(self.options.advice_invoice, "--advice-invoice", self.ours, self.plan.ours, taken)
        asked = self.options.advice_invoice is not None
        if links and (asked or links[0].share >= QUOTED):
            return links[0]
        best = f" {links[0].label} comes nearest, on {percent(links[0].share)} of the lines." if links else ""
        raise AdviceUnread(
            f"No column of {self.name} names the invoices of the first file.{best}",
            subject="--advice",
            remedy="Name the column with --advice-invoice COLUMN, or COLUMN=OURS.",
        )

    def _links(
        self, asked: str | None, option: str, relation: _Relation, side: SidePlan, taken: set[str]
    ) -> list[_Link]:
        """Return the pairs of columns by which advice may name the rows of a side, the best first."""
        own_name, side_name = self._asked(asked, option, relation)
        amounts = {term.column for term in side.amount} | {side.date}
        owns = [name for name in relation.types if name not in amounts and not is_technical(name)]
        if side_name:
            owns = [side_name]
        advised = [c.name for c in self.columns if c.name not in taken and c.kind in ("text", "number")]
        if own_name:
            advised = [own_name]
        ranked = []
        for own in owns:
            if not side_name and self._uniqueness(relation, own) < UNIQUE:
                continue
            for name in advised:
                link = self._link(name, relation, own)
                bonus = 0.1 * says(name, "id", "reference", "invoice", "payment", "transaction")
                ranked.append((-(link.share + bonus), name, own, link))
        return [link for *_, link in sorted(ranked, key=lambda item: item[:3]) if link.share > 0 or own_name]

    def _asked(self, asked: str | None, option: str, relation: _Relation) -> tuple[str | None, str | None]:
        if asked is None:
            return None, None
        names = [c.name for c in self.columns]
        whole = find_name(asked, names)
        if whole:
            return whole, None
        left, _, right = asked.partition("=")
        own, other = find_name(left.strip(), names), find_name(right.strip(), list(relation.types))
        if own is None or other is None:
            wanted, known = (left.strip(), names) if own is None else (right.strip(), list(relation.types))
            raise UnknownColumn(
                f"{option} names column {wanted!r}, which is not there.",
                subject=wanted,
                remedy=f"The columns are: {', '.join(known)}.",
            )
        return own, other

    def _uniqueness(self, relation: _Relation, name: str) -> float:
        value = _plain(name)
        query = exp.select(exp.Count(this=exp.Distinct(expressions=[value])), exp.Count(this=value.copy()))
        distinct, filled = rows_of(self.con, query.from_(relation.table))[0]
        return distinct / filled if filled else 0.0

    def _link(self, name: str, relation: _Relation, own: str) -> _Link:
        lines = exp.select(named(_plain(name), "quoted")).from_(self.advice.table)
        known = exp.select(named(_plain(own), "quoted")).distinct().from_(relation.table)
        known = known.where(exp.NEQ(this=_plain(own), expression=string("")))
        met = exp.select(exp.Count(this=column("quoted", "k")), exp.Count(this=exp.Star()))
        is_met = exp.EQ(this=column("quoted", "l"), expression=column("quoted", "k"))
        met = met.from_(lines.subquery("l")).join(known.subquery("k"), on=is_met, join_type="left")
        found, total = rows_of(self.con, met)[0]
        return _Link(name, own, found / total if total else 0.0, int(total))

    def _amount(self, payment: _Link, taken: set[str]) -> tuple[SignedColumn | None, tuple[Decision, ...]]:
        """Decide which column says what a line gives: the one that sums to the payments."""
        asked = self.options.advice_amount
        if asked is not None:
            if asked.strip().casefold() == "none":
                return None, (decided("advice amount", "none", 1.0, "as you said", "--advice-amount"),)
            found = find_name(asked, [c.name for c in self.columns])
            if found is None:
                raise UnknownColumn(
                    f"--advice-amount names column {asked!r}, which {self.name} does not have.",
                    subject=asked,
                    remedy=f"Its columns are: {', '.join(c.name for c in self.columns)}.",
                )
            said = decided("advice amount", found, 1.0, "as you said", "--advice-amount")
            return SignedColumn(found, -1 if self._tied(found, payment)[1] < 0 else 1), (said,)
        ranked = []
        for c in self.columns:
            if c.kind == "number" and c.name not in taken and not is_technical(c.name):
                tied, sign = self._tied(c.name, payment)
                ranked.append((-(tied + 0.2 * says(c.name, "amount")), c.name, tied, sign))
        ranked = [item for item in sorted(ranked) if item[2] >= TIED or says(item[1], "amount")]
        if not ranked:
            evidence = "no column sums to the payments; lines only name invoices"
            return None, (decided("advice amount", "none", 0.6, evidence, "--advice-amount"),)
        _, name, tied, sign = ranked[0]
        evidence = f"its lines sum to {percent(tied)} of the payments they name"
        choice = decided("advice amount", name, 0.5 + 0.45 * tied, evidence, "--advice-amount")
        return SignedColumn(name, 1 if sign > 0 else -1), (choice,)

    def _tied(self, name: str, payment: _Link) -> tuple[float, int]:
        """Return the share of payments that the lines of a column sum to, and the sign under which they do."""
        kind = next(c.type for c in self.columns if c.name == name)
        value = parse_expression(column(name), kind, self.advice.types[name])
        lines = exp.select(named(_plain(payment.advice), "quoted"), named(call("sum", value), "total"))
        lines = lines.from_(self.advice.table).group_by("all")
        paid = exp.select(named(_plain(payment.own), "quoted"), named(self._paid(), "paid")).from_(self.theirs.table)
        both = exp.select("*").from_(lines.subquery("l")).join(paid.subquery("p"), using=["quoted"]).subquery("b")
        total, amount = column("total"), column("paid")
        query = exp.select(
            exp.Count(this=exp.Star()),
            call("count_if", exp.EQ(this=total, expression=amount)),
            call("count_if", exp.EQ(this=total.copy(), expression=exp.Neg(this=amount.copy()))),
        )
        met, equal, opposite = rows_of(self.con, query.from_(both))[0]
        return (max(equal, opposite) / met if met else 0.0), (1 if equal >= opposite else -1)

    def _paid(self) -> exp.Expr:
        terms: list[exp.Expr] = []
        for term in self.plan.theirs.amount:
            kind = self.plan.theirs.columns[term.column]
            value = parse_expression(column(term.column), kind, self.theirs.types[term.column])
            present = call("coalesce", value, exp.Literal.number(0))
            terms.append(present if term.sign > 0 else exp.Neg(this=present))
        total = terms[0]
        for more in terms[1:]:
            total = exp.Add(this=total, expression=more)
        return total

    def _memos(self, taken: set[str]) -> tuple[str, ...]:
        usable = [c for c in self.columns if c.kind == "text" and c.name not in taken and not is_technical(c.name)]
        spoken = [c for c in usable if c.filled and not c.is_currency and (says(c.name, "text") or c.is_free_text)]
        return tuple(sorted(c.name for c in spoken[:MAX_MEMOS]))


def _untied(plan: Plan, payment: _Link, options: InferOptions) -> Plan:
    """Return the plan without what seemed to tie rows together and cannot, now that advice says what does.

    Customers who pay all they owe tie in sum by name, and two runs of numbers meet; what the user asked for stays.
    """
    is_group_guessed = bool(plan.ours.group) and options.group_by is None
    is_key_guessed = payment.own in plan.theirs.key and not options.on
    if not (is_group_guessed or is_key_guessed):
        return plan
    kept = tuple(decision for decision in plan.decisions if decision.subject not in ("key", "group"))
    said = decided("key", "none", 0.8, "advice says what belongs together", "--on")
    return replace(
        plan,
        ours=replace(plan.ours, key=(), group=()),
        theirs=replace(plan.theirs, key=(), group=()),
        compared=(),
        decisions=(said, *kept),
    )


def _plain(name: str) -> exp.Expr:
    return call("coalesce", call("plain_reference", cast(column(name), "VARCHAR")), string(""))


def _link_decision(subject: str, link: _Link, what: str, option: str) -> Decision:
    evidence = f"{percent(link.share)} of {count(link.lines)} lines name {what} that is there"
    return decided(subject, link.label, 0.5 + 0.49 * link.share, evidence, option)


def _own_reference(con: duckdb.DuckDBPyConnection, plan: Plan, ours: _Relation) -> str:
    """Return the column of ours that a payment may quote in its text: unique, and named as a number; '' for none."""
    taken = {term.column for term in plan.ours.amount} | {plan.ours.date}
    named = [name for name in ours.types if name not in taken and says(name, "invoice", "reference", "id")]
    fitting = [name for name in named if not says(name, "date", "customer", "amount") and _is_unique(con, ours, name)]
    return min(fitting, key=lambda name: (not says(name, "invoice"), list(ours.types).index(name)), default="")


def _is_unique(con: duckdb.DuckDBPyConnection, relation: _Relation, name: str) -> bool:
    query = exp.select(exp.Count(this=exp.Distinct(expressions=[column(name)])), exp.Count(this=column(name)))
    distinct, filled = rows_of(con, query.from_(relation.table))[0]
    return bool(filled) and distinct >= UNIQUE * filled


def _find_parties(
    con: duckdb.DuckDBPyConnection,
    plan: Plan,
    ours: _Relation,
    theirs: _Relation,
    references: frozenset[tuple[str, str]],
    *,
    is_told: bool = False,
) -> tuple[tuple[str, str] | None, tuple[Decision, ...]]:
    """Return the columns of both sides that name the same parties, as far as shortened names tell.

    With `is_told` their own names must say so too: what bookings are about is alike on both sides as well.
    """
    ranked = []
    for own in _name_columns(ours, plan.ours, "ours", references):
        if is_told and not _says_party(own):
            continue
        known = Parties(_values(con, ours, own, KNOWN_NAMES))
        for other in _name_columns(theirs, plan.theirs, "theirs", references):
            if is_told and not _says_party(other):
                continue
            tried = _values(con, theirs, other, TRIED_NAMES)
            if len(tried) < min(2, _row_count(con, theirs)):
                continue
            alike = sum(any(like >= SURELY_ALIKE for _, like in known.find(name)) for name in tried) / len(tried)
            bonus = 0.1 * (_says_party(own) + _says_party(other))
            ranked.append((-(alike + bonus), own, other, alike))
    told = {name for _, *both, _ in ranked for name in both if _says_party(name)}
    needed = [SHARED_NAMES_TOLD if {own, other} <= told else SHARED_NAMES for _, own, other, _ in ranked]
    ranked = sorted(item for item, least in zip(ranked, needed, strict=True) if item[3] >= least)
    if not ranked:
        return None, ()
    _, own, other, alike = ranked[0]
    label = own if own == other else f"{own} = {other}"
    evidence = f"{percent(alike)} of the names on their side are like one on ours"
    return (own, other), (decided("party", label, 0.45 + 0.5 * alike, evidence, "--text"),)


def _says_party(name: str) -> bool:
    return says(name, "name", "customer", "supplier") or says(name, "payer", "party", "debtor", "creditor", "company")


def _name_columns(
    relation: _Relation, side: SidePlan, of: str, references: frozenset[tuple[str, str]]
) -> Iterator[str]:
    """Yield the columns that may hold names of parties."""
    for name in relation.types:
        is_text = side.columns.get(name, ColumnType("number")).kind == "text"
        is_taken = (of, name) in references or name == side.currency or name in side.key
        if is_text and not is_taken and not is_technical(name) and (name in side.text or _says_party(name)):
            yield name


def _values(con: duckdb.DuckDBPyConnection, relation: _Relation, name: str, limit: int) -> list[str]:
    """Return distinct values of a column, those that their content picks where there are more."""
    value = call("trim", cast(column(name), "VARCHAR"))
    query = exp.select(named(value, "v")).distinct().from_(relation.table).where(is_present(column(name)))
    picked = exp.select("v").from_(query.subquery("d")).where(exp.NEQ(this=column("v"), expression=string("")))
    rows = con.execute(f"{sql_of(picked)} order by hash(v), v limit {limit}").fetchall()
    return [text for (text,) in rows if take_apart(text).words]


def _row_count(con: duckdb.DuckDBPyConnection, relation: _Relation) -> int:
    return int(rows_of(con, exp.select(exp.Count(this=exp.Star())).from_(relation.table))[0][0])


def _are_repeated(con: duckdb.DuckDBPyConnection, ours: _Relation, theirs: _Relation, parties: Sequence[str]) -> bool:
    """Say whether parties come back, as customers do: without that there are no groups to look for."""
    for relation, name in zip((ours, theirs), parties, strict=True):
        query = exp.select(exp.Count(this=exp.Distinct(expressions=[column(name)])), exp.Count(this=column(name)))
        distinct, filled = rows_of(con, query.from_(relation.table))[0]
        if filled and distinct <= UNIQUE * filled:
            return True
    return False
