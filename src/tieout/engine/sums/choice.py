"""Which sums are taken: those of which no row is wanted by a likelier sum or pair, the surest first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from tieout.engine.scoring.numbering import numbered

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

MOST_ODDS = 1e9
PLACES = 9
NOBODY = -1


@dataclass(frozen=True)
class Rows:
    """Rows of a side by their numbers, each with the partner that it has so far (or NOBODY) and how likely that is."""

    row: Numbers
    partner: Numbers
    chance: Floats

    def some(self, places: Numbers) -> Rows:
        return Rows(self.row[places], self.partner[places], self.chance[places])

    @property
    def has_partner(self) -> Flags:
        return np.asarray(self.partner != NOBODY)


@dataclass(frozen=True)
class Proposals:
    """Wholes with the likeliest set that reaches each; the parts of one stand together, the last of `starts` ends.

    They come in the order of their content: of proposals that are as good in all else the first is taken.
    A whole `is_ours` or of theirs, its parts are of the other side. No set but a unique one is taken unasked.
    """

    is_ours: Flags
    whole: Rows
    starts: Numbers
    parts: Rows
    odds: Floats
    is_unique: Flags

    @cached_property
    def count(self) -> Numbers:
        return np.diff(self.starts)

    @cached_property
    def of(self) -> Numbers:
        """The proposal of each part."""
        return np.repeat(np.arange(len(self.odds)), self.count)

    @cached_property
    def rows(self) -> Numbers:
        """The wholes and after them the parts, of either side, as numbers from 0 on."""
        parts = 2 * self.parts.row + ~self.is_ours[self.of]
        return numbered(np.concatenate([2 * self.whole.row + self.is_ours, parts]))

    def most(self, of_whole: Floats, of_parts: Floats) -> Floats:
        """Return the largest value among the rows of each proposal."""
        if not len(of_whole):
            return of_whole
        return np.asarray(np.maximum(of_whole, np.maximum.reduceat(of_parts, self.starts[:-1])))


@dataclass(frozen=True)
class Choice:
    """The proposals that are taken or proposed to a person, by number, and why each is no more or less sure."""

    number: Numbers
    confidence: Floats
    is_auto: Flags
    is_contested: Flags


def choose(proposals: Proposals, auto_threshold: float, review_threshold: float) -> Choice:
    """Choose the sums that are taken or proposed, none of which shares a row with another.

    A rival that wants one of its rows takes from the confidence of a sum: another sum, or a pair that is not inside it.
    """
    own = np.minimum(proposals.odds, MOST_ODDS)
    rivals, beside = _rivals(proposals)
    beside += _odds_of_pairs(proposals)
    shares = own / (1.0 + own + beside)
    confidence = np.array([round(share, PLACES) for share in shares.tolist()], np.float64)
    is_auto = (confidence >= auto_threshold) & proposals.is_unique
    # A sum for a person must not break a pair that is sure, or likelier than itself.
    held = proposals.most(
        *(np.where(rows.has_partner, rows.chance, -np.inf) for rows in (proposals.whole, proposals.parts))
    )
    is_chosen = (confidence >= review_threshold) & (is_auto | (held < np.minimum(auto_threshold, confidence)))
    _leave_rivals_out(proposals, np.flatnonzero(is_chosen & rivals), confidence, is_chosen)
    number = np.flatnonzero(is_chosen)
    return Choice(number, confidence[number], is_auto[number], (beside > 0.01 * own)[number])


def _rivals(proposals: Proposals) -> tuple[Flags, Floats]:
    """Say which proposals want a row that another wants too, and return the odds of all those together."""
    many = len(proposals.odds)
    wants = np.concatenate([np.arange(many), proposals.of])
    order = np.argsort(proposals.rows, kind="stable")
    asked = np.bincount(proposals.rows)
    order = order[asked[proposals.rows[order]] > 1]
    wants, asked = wants[order], asked[asked > 1]
    each = np.repeat(asked, asked)
    begin = np.repeat(np.cumsum(asked) - asked, asked)
    one = np.repeat(wants, each)
    other = wants[np.repeat(begin, each) + np.arange(len(one)) - np.repeat(np.cumsum(each) - each, each)]
    meets = np.unique((one * many + other)[one != other])  # each rival once, whatever the rows they share
    one, other = meets // max(many, 1), meets % max(many, 1)
    has_rivals = np.zeros(many, np.bool_)
    has_rivals[one] = True
    return has_rivals, np.bincount(one, proposals.odds[other], many).astype(np.float64)  # of nothing they are integers


def _odds_of_pairs(proposals: Proposals) -> Floats:
    """Return the odds of the likeliest pair that wants one row of a sum and another outside it."""
    whole, parts, of = proposals.whole, proposals.parts, proposals.of
    holds_partner = np.zeros(len(proposals.odds), np.bool_)
    holds_partner[of[parts.row == whole.partner[of]]] = True
    return proposals.most(
        np.where(whole.has_partner & ~holds_partner, _odds(whole), 0.0),
        np.where(parts.has_partner & (parts.partner != whole.row[of]), _odds(parts), 0.0),
    )


def _odds(rows: Rows) -> Floats:
    return np.asarray(rows.chance / np.maximum(1.0 - rows.chance, 1 / MOST_ODDS))


def _leave_rivals_out(proposals: Proposals, asked: Numbers, confidence: Floats, is_chosen: Flags) -> None:
    """Unchoose those that share a row with a surer one, of equal ones with a shorter one, else with one before them."""
    keys = (proposals.count[asked], -confidence[asked])
    rows, starts = proposals.rows, proposals.starts + len(proposals.odds)
    spent = np.zeros(int(rows.max(initial=0)) + 1, np.bool_)
    for number in asked[np.lexsort(keys)].tolist():
        mine = np.append(rows[starts[number] : starts[number + 1]], rows[number])
        is_chosen[number] = not spent[mine].any()
        spent[mine] |= is_chosen[number]
