"""Splink 5: a model trained on the data itself, candidates by blocking rules, and its own choice of best links.

Random sampling gives the chances among pairs that do not belong together, expectation maximisation those among pairs
that do. Of payments a row has one partner (`duplicate_free_datasets` names both sides), of people one of ours may have
several of theirs. All links are handed back with their weight: the bench picks the threshold, in Splink's favour.
"""

import math
import time

import duckdb
import splink.comparison_level_library as levels
import splink.comparison_library as comparisons
from splink import DuckDBAPI, Linker, SettingsCreator, block_on

from bench.brief import PEOPLE, REGISTER, Brief, answer_of, count_of, open_sides, read_brief
from bench.measure import report

SEED = 1
U_PAIRS = 1e6
EM_PAIRS = 5e5
LEAST_WEIGHT = -10
SHIFTS = (0.01, 0.03, 0.06, 0.12, 0.3)  # shares by which amounts may differ, one level each
REFERENCE = "nullif(regexp_extract(memo, '[0-9]{6,}'), '')"  # the first long number in a memo


def days_between(least: int, most: int) -> levels.CustomLevel:
    return levels.CustomLevel(f"day_r - day_l between {least} and {most}", label_for_charts=f"{least} to {most} days")


def compare_payments(brief: Brief, *, has_reference: bool) -> list[comparisons.CustomComparison]:
    """Return what is compared of two payments. Their day is not before ours, so days count one way only."""
    most = brief.most_lag_days
    ends = sorted({day for day in (1, 2, 4, 10, most) if day <= most})
    starts = [0, *(day + 1 for day in ends[:-1])]
    shifted = "abs(amount_l - amount_r) <= {share} * abs(amount_l)"
    begins = (
        "length(memo_l) >= 10 and length(memo_r) >= 10 and (starts_with(memo_l, memo_r) or starts_with(memo_r, memo_l))"
    )
    amount = [
        levels.NullLevel("amount"),
        levels.ExactMatchLevel("amount", term_frequency_adjustments=True),
        *(levels.CustomLevel(shifted.format(share=share), label_for_charts=f"within {share:.0%}") for share in SHIFTS),
        levels.ElseLevel(),
    ]
    day = [levels.NullLevel("day"), *map(days_between, starts, ends), levels.ElseLevel()]
    memo = [
        levels.NullLevel("memo"),
        levels.ExactMatchLevel("memo", term_frequency_adjustments=True),
        levels.CustomLevel(begins, label_for_charts="one begins with the other"),
        levels.CustomLevel("memo_l[:9] = memo_r[:9]", label_for_charts="same nine letters"),
        *(levels.JaroWinklerLevel("memo", least) for least in (0.92, 0.85, 0.7)),
        levels.ElseLevel(),
    ]
    compared = {"amount": amount, "day": day, "memo": memo}
    if has_reference:
        compared["reference"] = [
            levels.NullLevel("reference"),
            levels.ExactMatchLevel("reference"),
            levels.ElseLevel(),
        ]
    return [
        comparisons.CustomComparison(output_column_name=name, comparison_levels=listed)
        for name, listed in compared.items()
    ]


def block_payments(brief: Brief, *, has_reference: bool) -> list[str]:
    window = f"r.day - l.day between 0 and {brief.most_lag_days}"
    near = f"abs(l.amount - r.amount) <= {brief.drift} * abs(l.amount)"
    rules = [
        f"l.amount = r.amount and {window}",
        # Amounts that are near lie in the same step or in neighbouring ones: a join on it is faster than `near` alone.
        *(f"l.memo[:3] = r.memo[:3] and l.step = r.step + {shift} and {window} and {near}" for shift in (0, 1, -1)),
        *(f"l.memo[:1] = r.memo[:1] and r.day = l.day + {days} and {near}" for days in (1, 2)),
    ]
    return [*rules, f"l.reference = r.reference and {window}"] if has_reference else rules


def payments_linker(connection, brief: Brief) -> Linker:
    for side in ("ours", "theirs"):
        connection.execute(f"""
            create table {side}_in as
            select row as unique_id, day, amount::double as amount, rtrim(upper(memo)) as memo,
                {REFERENCE} as reference,
                floor(ln(greatest(abs(amount::double), 0.01)) / {-math.log(1 - brief.drift)})::int as step
            from {side}
        """)
    referenced = count_of(connection, "(from ours_in where reference is not null)")
    has_reference = referenced > 0.05 * count_of(connection, "ours_in")
    linker = _linker(
        connection,
        block_payments(brief, has_reference=has_reference),
        compare_payments(brief, has_reference=has_reference),
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=U_PAIRS, seed=SEED)
    for rule in ("l.memo[:10] = r.memo[:10]", "l.amount = r.amount"):
        linker.training.estimate_parameters_using_expectation_maximisation(rule, max_pairs=EM_PAIRS)
    return linker


def compare_people() -> list:
    """Return what is compared of two people. Names count in either order: that did better than any ready comparison."""
    alike = "jaro_winkler_similarity({one}_l, {other}_r) > 0.85"
    same = "{one}_l = {other}_r"
    straight = (("first_name", "first_name"), ("surname", "surname"))
    crossed = (("first_name", "surname"), ("surname", "first_name"))

    def level(label: str, test: str) -> levels.CustomLevel:
        ways = [[test.format(one=one, other=other) for one, other in pairs] for pairs in (straight, crossed)]
        if label.startswith("both"):
            return levels.CustomLevel(" or ".join(f"({' and '.join(way)})" for way in ways), label_for_charts=label)
        return levels.CustomLevel(" or ".join(test for way in ways for test in way), label_for_charts=label)

    nameless = " or ".join(f"(first_name_{side} is null and surname_{side} is null)" for side in "lr")
    names = [
        levels.CustomLevel(nameless, label_for_charts="no name").configure(is_null_level=True),
        level("both the same", same),
        level("both alike", alike),
        level("one the same", same),
        level("one alike", alike),
        levels.ElseLevel(),
    ]
    return [
        comparisons.CustomComparison(output_column_name="names", comparison_levels=names),
        comparisons.DateOfBirthComparison("born", input_is_string=True),
        comparisons.LevenshteinAtThresholds("city", [1, 2]).configure(term_frequency_adjustments=True),
        comparisons.JaroWinklerAtThresholds("email", [0.95, 0.88, 0.75]).configure(term_frequency_adjustments=True),
    ]


def people_linker(connection) -> Linker:
    for side in ("ours", "theirs"):
        connection.execute(f"""
            create table {side}_in as
            select row as unique_id, * exclude (row) replace (born::varchar as born) from {side}
        """)
    linker = _linker(connection, ["1 = 1"], compare_people())  # few enough to score every pair
    linker.training.estimate_u_using_random_sampling(max_pairs=U_PAIRS, seed=SEED)
    for rule in (block_on("born"), block_on("email"), block_on("first_name", "surname")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    return linker


def compare_register() -> list:
    """Return what is compared of two entries of a register; names count in either order, as with people."""
    return [
        comparisons.ForenameSurnameComparison("given_name", "surname", jaro_winkler_thresholds=[0.92, 0.8]),
        comparisons.DamerauLevenshteinAtThresholds("birth", [1, 2]),
        comparisons.DamerauLevenshteinAtThresholds("number", [1, 2]),
        comparisons.LevenshteinAtThresholds("street_number", [1]).configure(term_frequency_adjustments=True),
        comparisons.JaroWinklerAtThresholds("address_1", [0.92, 0.8]).configure(term_frequency_adjustments=True),
        comparisons.JaroWinklerAtThresholds("suburb", [0.92, 0.8]).configure(term_frequency_adjustments=True),
        comparisons.DamerauLevenshteinAtThresholds("postcode", [1, 2]).configure(term_frequency_adjustments=True),
    ]


def register_linker(connection) -> Linker:
    for side in ("ours", "theirs"):
        connection.execute(f"create table {side}_in as select row as unique_id, * exclude (row) from {side}")
    rules = [
        block_on("number"),
        block_on("birth"),
        block_on("address_1"),
        block_on("given_name", "surname"),
        block_on("surname", "postcode"),
        block_on("given_name", "suburb"),
        block_on("street_number", "postcode"),
        "l.given_name = r.surname and l.surname = r.given_name",
    ]
    linker = _linker(connection, rules, compare_register())
    linker.training.estimate_u_using_random_sampling(max_pairs=U_PAIRS, seed=SEED)
    for rule in (block_on("number"), block_on("birth"), block_on("given_name", "surname")):
        linker.training.estimate_parameters_using_expectation_maximisation(rule)
    return linker


def _linker(connection, rules: list, compared: list) -> Linker:
    for side in ("ours", "theirs"):  # Splink registers its inputs under these names
        connection.execute(f"drop table {side}")
    api = DuckDBAPI(connection)
    sides = [api.register(connection.table(f"{side}_in"), dataset_display_name=side) for side in ("ours", "theirs")]
    settings = SettingsCreator(
        link_type="link_only",
        # Nearly each of theirs has one partner among ours.
        probability_two_random_records_match=1 / max(count_of(connection, "ours_in"), 2),
        blocking_rules_to_generate_predictions=rules,
        comparisons=compared,
        retain_matching_columns=False,
    )
    return Linker(sides, settings, log_level=None)


def link(connection, brief: Brief, linker: Linker, answer: str) -> int:
    """Score the candidates, choose the links and write them; return how many pairs were scored."""
    scored = linker.inference.predict()
    single = ["ours"] if brief.kind == PEOPLE else ["ours", "theirs"]
    chosen = linker.clustering.cluster_using_single_best_links(
        scored, duplicate_free_datasets=single, threshold_match_weight=LEAST_WEIGHT
    )
    connection.execute(f"""
        copy (
            select p.unique_id_l as ours_row, p.unique_id_r as theirs_row, 'auto' as outcome, p.match_weight as score
            from {scored.physical_name} p
            join {chosen.physical_name} o on o.source_dataset = 'ours' and o.unique_id = p.unique_id_l
            join {chosen.physical_name} t on t.source_dataset = 'theirs' and t.unique_id = p.unique_id_r
            where p.source_dataset_l = 'ours' and p.source_dataset_r = 'theirs' and o.cluster_id = t.cluster_id
        ) to '{answer}'
    """)
    return count_of(connection, scored.physical_name)


def linker_of(connection, brief: Brief) -> Linker:
    if brief.kind == PEOPLE:
        return people_linker(connection)
    return register_linker(connection) if brief.kind == REGISTER else payments_linker(connection, brief)


def main() -> None:
    brief, out = read_brief()
    started = time.perf_counter()
    with duckdb.connect() as connection:
        connection.execute(f"set temp_directory = '{out / 'tmp'}'")
        open_sides(connection, brief)
        linker = linker_of(connection, brief)
        pairs = link(connection, brief, linker, str(answer_of(out)))
        report(time.perf_counter() - started, pairs_scored=pairs)


if __name__ == "__main__":
    main()
