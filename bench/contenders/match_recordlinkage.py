"""recordlinkage: blocked candidates, its comparisons, its unsupervised ECM classifier and greedy one-to-one choice.

Links come in the order of their probability, and of the likeness before it was cut to yes and no where that is equal:
ECM takes yes and no only. All are handed back; the bench picks the threshold, in its favour.
"""

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import recordlinkage
from recordlinkage.compare import Numeric, String

from bench.brief import PEOPLE, REGISTER, ROLES, Brief, answer_of, read_brief
from bench.measure import report

PEOPLE_COLUMNS = ("first_name", "surname", "born", "city", "email")


def load(path: str, columns: dict[str, str]) -> pd.DataFrame:
    table = pq.read_table(path) if Path(path).suffix == ".parquet" else pa_csv.read_csv(path)
    frame = table.select(list(columns.values())).rename_columns(list(columns)).to_pandas()
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    return frame


def people_texts(frame: pd.DataFrame) -> pd.DataFrame:
    texts = {name: frame[name].astype(str) if name == "born" else frame[name] for name in PEOPLE_COLUMNS}
    return pd.DataFrame({name: text.where(text != "", None) for name, text in texts.items()})


def payment_features(frame: pd.DataFrame, side: str, most_lag_days: int) -> pd.DataFrame:
    """Add what is blocked on. Spans are as long as the window, so theirs lies in the span of ours or the next one."""
    days = pd.to_datetime(frame["day"]).to_numpy().astype("datetime64[D]").astype("int64")
    memo = frame["memo"].fillna("").str.upper().str.rstrip()
    span = days // (most_lag_days + 1)
    return frame.assign(
        day=days,
        amount=frame["amount"].astype(float).round(2),
        memo=memo,
        begin=memo.str[:4].where(memo != "", f"none of {side}"),
        span=span,
        span_before=span - 1,
        reference=memo.str.extract(r"([0-9]{6,})", expand=False).fillna(f"none of {side}"),
    )


def payment_pairs(ours: pd.DataFrame, theirs: pd.DataFrame, brief: Brief) -> pd.MultiIndex:
    """Return the candidates: alike in amount, in the memo's beginning or in a reference, and in the window."""
    pairs = None
    for name in ("amount", "begin", "reference"):
        for span in ("span", "span_before"):
            found = recordlinkage.index.Block([name, "span"], [name, span]).index(ours, theirs)
            apart = (
                theirs["day"].to_numpy()[found.get_level_values(1) - 1]
                - ours["day"].to_numpy()[found.get_level_values(0) - 1]
            )
            amounts = ours["amount"].to_numpy()[found.get_level_values(0) - 1]
            moved = np.abs(theirs["amount"].to_numpy()[found.get_level_values(1) - 1] - amounts)
            is_near = (moved <= brief.drift * np.abs(amounts)) | (name == "reference")
            found = found[(apart >= 0) & (apart <= brief.most_lag_days) & is_near]
            pairs = found if pairs is None else pairs.union(found)
    return pairs


def payment_likeness(ours: pd.DataFrame, theirs: pd.DataFrame, pairs: pd.MultiIndex, brief: Brief) -> pd.DataFrame:
    compare = recordlinkage.Compare(
        [
            String("memo", "memo", method="jarowinkler", label="memo"),
            Numeric("day", "day", method="linear", scale=brief.most_lag_days, label="day"),
        ]
    )
    likeness = compare.compute(pairs, ours, theirs)
    before = ours["amount"].to_numpy()[pairs.get_level_values(0) - 1]
    after = theirs["amount"].to_numpy()[pairs.get_level_values(1) - 1]
    likeness["amount"] = 1 - (np.abs(after - before) / np.maximum(np.abs(before), 0.01)).clip(0, 1)
    return likeness


def payment_answers(likeness: pd.DataFrame, brief: Brief) -> pd.DataFrame:
    """Return the likeness as yes and no; two steps of memo and amount did better than one, more than these worse."""
    days = (1 - likeness["day"]) * brief.most_lag_days * 2  # a linear likeness is one half at its scale
    return pd.DataFrame(
        {
            "memo 95": likeness["memo"] >= 0.95,
            "memo 80": likeness["memo"] >= 0.8,
            "within 2 days": days < 2.5,
            "within 3 %": likeness["amount"] >= 0.97,
            "within 9 %": likeness["amount"] >= 0.91,
        }
    ).astype(float)


def people_likeness(ours: pd.DataFrame, theirs: pd.DataFrame, pairs: pd.MultiIndex) -> pd.DataFrame:
    """Return the likeness of all pairs: there are few enough. Names count in either order."""
    crossed = (("first_name", "surname"), ("surname", "first_name"))
    columns = (*((name, name) for name in PEOPLE_COLUMNS), *crossed)
    compare = recordlinkage.Compare(
        [String(left, right, method="jarowinkler", label=f"{left} {right}") for left, right in columns]
    )
    found = compare.compute(pairs, ours, theirs).fillna(0)
    names = [f"{left} {right}" for left, right in (("first_name", "first_name"), ("surname", "surname"), *crossed)]
    straight, turned = found[names[0]] + found[names[1]], found[names[2]] + found[names[3]]
    return pd.DataFrame(
        {
            "names": np.maximum(straight, turned) / 2,
            "a name": found[names].max(axis=1),
            **{name: found[f"{name} {name}"] for name in ("born", "city", "email")},
        }
    )


def people_answers(likeness: pd.DataFrame) -> pd.DataFrame:
    """Return the likeness as yes and no, by the steps that did best of 0.8 to 0.95."""
    return pd.DataFrame(
        {
            "names": likeness["names"] >= 0.85,
            "a name": likeness["a name"] >= 0.9,
            "born": likeness["born"] >= 0.85,
            "city": likeness["city"] >= 0.85,
            "email": likeness["email"] >= 0.85,
            "same born": likeness["born"] == 1,
            "same email": likeness["email"] == 1,
        }
    ).astype(float)


def register_texts(frame: pd.DataFrame) -> pd.DataFrame:
    texts = frame[list(ROLES[REGISTER])].astype(str)
    return texts.where(~texts.isin(["", "nan", "None"]), None)


def register_pairs(ours: pd.DataFrame, theirs: pd.DataFrame) -> pd.MultiIndex:
    """Return the candidates: alike in one telling column, or in two that tell less."""
    blocks = [["number"], ["birth"], ["address_1"], ["given_name", "surname"], ["surname", "postcode"]]
    blocks += [["given_name", "suburb"], ["street_number", "postcode"]]
    found = None
    for block in blocks:
        pairs = recordlinkage.index.Block(block, block).index(ours.dropna(subset=block), theirs.dropna(subset=block))
        found = pairs if found is None else found.union(pairs)
    return found


def register_likeness(ours: pd.DataFrame, theirs: pd.DataFrame, pairs: pd.MultiIndex) -> pd.DataFrame:
    """Return how alike entries are, names in either order as with people."""
    crossed = (("given_name", "surname"), ("surname", "given_name"))
    columns = (*((name, name) for name in ROLES[REGISTER]), *crossed)
    compare = recordlinkage.Compare(
        [String(left, right, method="jarowinkler", label=f"{left} {right}") for left, right in columns]
    )
    found = compare.compute(pairs, ours, theirs).fillna(0)
    straight = found["given_name given_name"] + found["surname surname"]
    turned = found["given_name surname"] + found["surname given_name"]
    others = [name for name in ROLES[REGISTER] if name not in ("given_name", "surname")]
    return pd.DataFrame(
        {"names": np.maximum(straight, turned) / 2, **{name: found[f"{name} {name}"] for name in others}}
    )


def classify(answers: pd.DataFrame, likeness: pd.DataFrame) -> pd.Series:
    """Return the score of each pair: its probability, then its likeness, so that the order is whole."""
    classifier = recordlinkage.ECMClassifier()
    classifier.fit(answers)
    return classifier.prob(answers).clip(0, 1) + likeness.mean(axis=1) * 1e-3


def choose(scores: pd.Series, *, is_single: bool) -> pd.Series:
    ordered = scores.sort_values(ascending=False, kind="stable")
    if is_single:
        return ordered.loc[recordlinkage.OneToOneLinking().compute(ordered.index)]
    return ordered[~ordered.index.get_level_values(1).duplicated()]  # each of theirs has its best of ours


def main() -> None:
    brief, out = read_brief()
    started = time.perf_counter()
    ours, theirs = (load(path, columns) for path, columns in brief.sides.values())
    if brief.kind == PEOPLE:
        ours, theirs = (people_texts(frame) for frame in (ours, theirs))
        pairs = recordlinkage.index.Full().index(ours, theirs)
        likeness = people_likeness(ours, theirs, pairs)
        answers = people_answers(likeness)
    elif brief.kind == REGISTER:
        ours, theirs = (register_texts(frame) for frame in (ours, theirs))
        pairs = register_pairs(ours, theirs)
        likeness = register_likeness(ours, theirs, pairs)
        answers = (likeness >= 0.9).astype(float)
    else:
        ours, theirs = (
            payment_features(frame, side, brief.most_lag_days) for frame, side in ((ours, "ours"), (theirs, "theirs"))
        )
        pairs = payment_pairs(ours, theirs, brief)
        likeness = payment_likeness(ours, theirs, pairs, brief)
        answers = payment_answers(likeness, brief)
    chosen = choose(classify(answers, likeness), is_single=brief.kind != PEOPLE)
    answer = {
        "ours_row": chosen.index.get_level_values(0).to_numpy(),
        "theirs_row": chosen.index.get_level_values(1).to_numpy(),
        "outcome": ["auto"] * len(chosen),
        "score": chosen.to_numpy(),
    }
    pq.write_table(pa.table(answer), answer_of(out))
    report(time.perf_counter() - started, pairs_scored=len(pairs))


if __name__ == "__main__":
    main()
