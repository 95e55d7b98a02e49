"""The plan of a leg: how each side's columns become canonical entries, and the rules of the match."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["text", "number", "date", "timestamp"]
Scoring = Literal["weighted", "learned"]
ReferenceForm = Literal["written", "plain", "digits"]
TextForm = Literal["written", "folded"]
PAIR = "pair"
"""What a pair weighs before any evidence, among the evidence of learned weights."""
EVIDENCE = ("amount", "time", "text", "unit_1", "unit_2", "unit_3", "unit_4", "unit_5", "unit_6")


@dataclass(frozen=True)
class ColumnType:
    """How the text of one column becomes a value.

    `decimal_mark` and `group_mark` apply to numbers ('.' and ',' or '' for none); `date_format` is a strptime
    pattern for dates and timestamps that are text ('' means the column is typed already or ISO 8601).
    A number keeps six decimals; more are rounded half away from zero.
    """

    kind: Kind
    decimal_mark: str = "."
    group_mark: str = ""
    date_format: str = ""


@dataclass(frozen=True)
class SignedColumn:
    """A column that adds to the amount, or with sign -1 takes from it (credit and debit columns)."""

    column: str
    sign: Literal[1, -1] = 1


@dataclass(frozen=True)
class Direction:
    """A column that says which way money went, where amounts have no sign.

    An amount is turned round where the column, trimmed and in capitals, says one of `outgoing`.
    """

    column: str
    outgoing: tuple[str, ...]


@dataclass(frozen=True)
class SidePlan:
    """One side of the leg: the type of each column and the role that some of them play.

    `columns` holds every column of the file in file order. `amount` is a sum of signed columns (null
    counts as absent while another is present). `amount_exponent` scales it, and the fee: -2 where the file has cents.
    `direction` gives it its sign where a column of its own tells debits from credits.
    `currency` names a column, `currency_constant` is used where there is none or it is null. With `converts` the
    amount is in another currency and is multiplied by `fx_rate` to be in `currency`; without it `fx_rate` only informs.
    `format`, `sheet`, `records`, `encoding`, `delimiter` and `header_line` (-1 where the reader decides, as '' does for
    the others; 0 for no header) say how the file is read.
    """

    columns: dict[str, ColumnType]
    key: tuple[str, ...] = ()
    group: tuple[str, ...] = ()
    amount: tuple[SignedColumn, ...] = ()
    amount_exponent: int = 0
    direction: Direction | None = None
    currency: str | None = None
    currency_constant: str = ""
    date: str | None = None
    text: tuple[str, ...] = ()
    quantity: str | None = None
    fee: str | None = None
    fx_rate: str | None = None
    converts: bool = False
    units: tuple[str, ...] = ()
    format: str = ""
    sheet: str = ""
    records: str = ""
    encoding: str = ""
    delimiter: str = ""
    header_line: int = -1


@dataclass(frozen=True)
class Compared:
    """A pair of columns whose values must agree on matched rows.

    Texts are compared as `written`, or `folded`: without case, accents and more blanks than one between words. A text
    that says nothing (null, n/a, -) is none in either form.
    """

    name: str
    ours: str
    theirs: str
    kind: Kind
    text_form: TextForm = "written"


@dataclass(frozen=True)
class Weights:
    """Weights of the scored pass; those of evidence that a leg lacks are spread over the rest."""

    time: float = 0.5
    amount: float = 0.3
    unit: float = 0.2
    text: float = 0.0


@dataclass(frozen=True)
class Level:
    """What an evidence at one of its levels is worth: log2(`matched` / `chance`) bits.

    Of a text it is no less than that of a commoner word in one spelt equally alike.

    `matched` is the share of that level among pairs that belong together, `chance` among pairs of any two rows.
    """

    evidence: str
    level: int
    matched: float
    chance: float


@dataclass(frozen=True)
class LearnedWeights:
    """What a run learned of how rows that belong together differ.

    Of the rows of the smaller side `match_share` have a partner. `labels` is the digest of the reviewers' decisions
    that it learned from, '' for none.
    """

    match_share: float
    levels: tuple[Level, ...] = ()
    labels: str = ""


@dataclass(frozen=True)
class Rules:
    """What counts as equal, and what as a match. Thresholds are inclusive; a tolerance is exceeded only strictly.

    The scored pass takes the score from `weights`, or, where `scoring` is learned, learns from the rows themselves how
    likely a pair belongs together. An automatic match by score also stands clear of its runner-up by `required_margin`.
    Evidence of time is 1 / (1 + lag / `lag_half_days`). A gap is tolerated up to the larger of both tolerances.
    References and group keys meet by what `reference_form` leaves of them: all that is `written`; `plain`, without
    case, accents, signs and zeros in front (INV-0012 is inv12); or the `digits` alone (INV-0012 is 12, A-1-07 is 1.7).
    """

    tolerance_micros: int = 0
    tolerance_ppm: int = 0
    window_days: int = 0
    scoring: Scoring = "weighted"
    weights: Weights = field(default_factory=Weights)
    auto_threshold: float = 0.80
    review_threshold: float = 0.50
    required_margin: float = 0.0
    lag_half_days: float = 3.0
    reference_form: ReferenceForm = "written"
    zone: str = "UTC"


@dataclass(frozen=True)
class Decision:
    """One thing that was decided for the user: what, the choice, how sure, on what evidence, and how to settle it.

    `confidence` is 0..1; `option` names the command-line option that overrides the decision.
    """

    subject: str
    choice: str
    confidence: float
    evidence: str
    option: str


@dataclass(frozen=True)
class Settlement:
    """How payments (theirs) are applied to open invoices (ours) where no reference pairs them.

    `ours_party` and `theirs_party` name who owes and who pays, `ours_reference` what an invoice is called and
    `theirs_reference` what a payment is called in advice; '' where there is none. `advice` reads a third file: its
    `key` is the invoice that a line names, its `group` the payment, its amount what the line gives to it. Without
    advice only what is unique is settled, by party and exact sums; the rest is scored.
    """

    ours_party: str = ""
    theirs_party: str = ""
    ours_reference: str = ""
    theirs_reference: str = ""
    window_days: int = 180
    advice: SidePlan | None = None


@dataclass(frozen=True)
class Plan:
    """A leg ready to run; with `learned` its scored pass uses these weights instead of learning its own."""

    ours: SidePlan
    theirs: SidePlan
    compared: tuple[Compared, ...] = ()
    rules: Rules = field(default_factory=Rules)
    decisions: tuple[Decision, ...] = ()
    learned: LearnedWeights | None = None
    settlement: Settlement | None = None

    @property
    def advice(self) -> SidePlan | None:
        return self.settlement.advice if self.settlement else None
