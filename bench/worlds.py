"""Made-up worlds: two files without a common key, and the truth of which of their rows belong together.

A world is a number of facts (a payment, an invoice, a booking). Each fact is of one kind, and the kind says which rows
it leaves on either side: one on both, one against several, or some on one side alone. Every value of a row is a pure
function of seed, fact and part, so the same world has the same rows wherever it is made with the same DuckDB.

`python -m bench.worlds FOLDER --rows 10000` makes one.
"""

import argparse
import dataclasses
import hashlib
from dataclasses import dataclass, field
from pathlib import Path

FORMATS = ("parquet", "csv")
ONE_TO_ONE = ("exact", "fee_percent", "fee_fixed", "fx", "partial", "transposed", "wrong_sign", "duplicate")
GROUPED = ("one_to_many", "many_to_one")
LONE = ("reversal", "lone_ours", "lone_theirs")
FIRST_DAY = "2026-01-01"
PARTS = 8  # a fact has fewer parts than this on either side; it leaves room in the number that is hashed
MILLION = 1_000_000


@dataclass(frozen=True)
class MemoNoise:
    """Shares of their memos that each befalls, one independent of the other."""

    truncated: float = 0.2
    cased: float = 0.2
    reordered: float = 0.1
    abbreviated: float = 0.1
    mistyped: float = 0.08
    extended: float = 0.1
    missing: float = 0.03


CLEAN_MEMOS = MemoNoise(0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class World:
    """What a world is like. Shares are of the facts; what they leave over is `exact`: one row a side, equal amounts.

    `lag_weights[n]` is how often their row is n days later than ours. A fee is netted from their amount: `fee_bp`
    hundredths of a percent, or `fee_cents`. Exchange moves it by up to `fx_ppm` millionths either way. Of the facts,
    `round_share` have one of `round_values` round amounts. Facts come in blocks of `block_rows`; in `block_share` of
    the blocks all share party and amount. `referenced` is the share whose memo has the same reference on both sides;
    `outgoing` the share with a negative amount. Without `parties` there is one for every twenty facts.
    """

    rows: int = 10_000
    seed: int = 1
    fee_percent: float = 0.05
    fee_fixed: float = 0.03
    fx: float = 0.08
    partial: float = 0.02
    transposed: float = 0.01
    wrong_sign: float = 0.01
    duplicate: float = 0.02
    one_to_many: float = 0.02
    many_to_one: float = 0.03
    reversal: float = 0.01
    lone_ours: float = 0.03
    lone_theirs: float = 0.03
    lag_weights: tuple[int, ...] = (20, 30, 20, 10, 8, 4, 3, 2, 1, 1, 1)
    days: int = 120
    fee_bp: int = 290
    fee_cents: int = 30
    fx_ppm: int = 30_000
    round_share: float = 0.15
    round_values: int = 40
    parties: int = 0
    block_rows: int = 6
    block_share: float = 0.1
    referenced: float = 0.5
    outgoing: float = 0.3
    most_parts: int = 6
    has_party: bool = False
    memo: MemoNoise = field(default_factory=MemoNoise)

    def __post_init__(self) -> None:
        if sum(self.shares.values()) > 1 + 1e-9:
            raise ValueError(f"shares of the kinds sum to {sum(self.shares.values()):.3f}; they may be 1 at most")
        if not 2 <= self.most_parts < PARTS:
            raise ValueError(f"most_parts is {self.most_parts}; give 2 to {PARTS - 1}")
        if self.block_rows < 1 or sum(self.lag_weights) < 1:
            raise ValueError("block_rows and the sum of lag_weights have to be 1 at least")

    @property
    def shares(self) -> dict[str, float]:
        """The share of each kind but `exact`."""
        return {kind: getattr(self, kind) for kind in (*ONE_TO_ONE[1:], *GROUPED, *LONE)}


def exact_world(rows: int, seed: int = 1) -> World:
    """Return a world of pairs alike in date, amount and memo, and nothing else."""
    nothing = dict.fromkeys((*ONE_TO_ONE[1:], *GROUPED, *LONE), 0.0)
    return World(rows, seed, **nothing, lag_weights=(1,), memo=CLEAN_MEMOS)


@dataclass(frozen=True)
class Files:
    """Where a world lies: `truth` has ours_row, theirs_row, kind; `lone` has side, row, kind of rows without a partner.

    Rows are numbered from 1 in file order.
    """

    ours: Path
    theirs: Path
    truth: Path
    lone: Path


def files_of(folder: Path, form: str = "parquet") -> Files:
    return Files(folder / f"ours.{form}", folder / f"theirs.{form}", folder / "truth.parquet", folder / "lone.parquet")


# Pseudo-random choices. The purpose moves the number before it is hashed: DuckDB combines the hashes of several values
# by exclusive or, and two purposes would then agree in their low bits.


@dataclass(frozen=True)
class _Draw:
    seed: int

    def bits(self, purpose: str, of: str) -> str:
        digest = hashlib.blake2b(f"{self.seed}/{purpose}".encode(), digest_size=8).digest()
        return f"hash({int.from_bytes(digest) >> 2} + {of})"

    def below(self, limit: int, purpose: str, of: str = "fact") -> str:
        """Return SQL of a whole number from 0 to one less than the limit."""
        return f"({self.bits(purpose, of)} % {limit})::bigint"

    def happens(self, share: float, purpose: str, of: str = "fact") -> str:
        return f"({self.below(MILLION, purpose, of)} < {round(share * MILLION)})"

    def one_of(self, words: tuple[str, ...], purpose: str, of: str = "fact") -> str:
        listed = ", ".join(f"'{word}'" for word in words)
        return f"[{listed}][{self.below(len(words), purpose, of)} + 1]"


# fmt: off
SYLLABLES = (
    "al", "bar", "ben", "bro", "cal", "cor", "dan", "del", "dor", "el", "fen", "fir", "gal", "gor", "hal", "hol", "il",
    "jan", "kar", "kel", "lan", "lor", "mar", "mel", "mon", "nar", "nor", "ol", "pal", "per", "quin", "ran", "rol",
    "sal", "sen", "tam", "tor", "ul", "van", "ver", "wal", "wen", "yor", "zan",
)
TRADES = (
    "Metals", "Foods", "Logistics", "Printing", "Textiles", "Energy", "Dental", "Brewery", "Optics", "Timber",
    "Software", "Shipping", "Ceramics", "Catering", "Insurance", "Bakery", "Studio", "Motors", "Plastics", "Seeds",
)
FORMS = ("Ltd", "GmbH", "Inc", "BV", "SA", "AB", "LLC", "Oy")
PURPOSES = ("invoice", "payment", "deposit", "rent", "services", "order", "fees", "supplies", "licence", "retainer")
EXTENSIONS = ("SEPA CT ", "TRF ", "FPS IN ", "NOTPROVIDED ", "POS 4411 ", "ACH CR ")
# fmt: on


def _kind(world: World) -> str:
    """Return SQL of a fact's kind. Within a block all kinds may occur: what is alike there is party and amount."""
    whens, upto = [], 0
    for kind, share in world.shares.items():
        upto += round(share * MILLION)
        whens.append(f"when kind_ppm < {upto} then '{kind}'")
    return f"case {' '.join(whens)} else 'exact' end"


def _amount(world: World, draw: _Draw) -> str:
    """Return SQL of a fact's amount in cents, above zero: of any size from 10.00 to 100,000.00, whole numbers only."""
    size = draw.below(100, "size", "source")
    digits = draw.bits("digits", "source")
    return f"""case
        when {draw.happens(world.round_share, "is round", "source")}
            then 2500 * (1 + {draw.below(world.round_values, "round value", "source")})
        when {size} < 30 then 1000 + ({digits} % 9000)::bigint
        when {size} < 70 then 10000 + ({digits} % 90000)::bigint
        when {size} < 95 then 100000 + ({digits} % 900000)::bigint
        else 1000000 + ({digits} % 9000000)::bigint
    end"""


def _facts(world: World, draw: _Draw, of: str) -> str:
    """Return SQL of what is known of each fact in the relation `of`, whose rows have fact and part."""
    parties = world.parties or max(world.rows // 20, 1)
    # The rows of a block that shares party and amount draw both from the block's number, all others from their own.
    source = f"""case when {draw.happens(world.block_share, "is block", f"fact // {world.block_rows}")}
        then {world.rows} + fact // {world.block_rows} else fact end"""
    return f"""
        select *, {_kind(world)} as kind, {_amount(world, draw)} as cents,
            {draw.below(parties, "party", "source")} as party
        from (
            select *, {draw.below(MILLION, "kind")} as kind_ppm, {source} as source, fact * {PARTS} + part as seat,
                2 + {draw.below(world.most_parts - 1, "parts")} as parts,
                {draw.below(2, "side")} as side,
                {draw.below(world.days, "day")} as day,
                [{", ".join(str(day) for day, weight in enumerate(world.lag_weights) for _ in range(weight))}]
                    [{draw.below(sum(world.lag_weights), "lag")} + 1] as lag,
                if({draw.happens(world.outgoing, "is outgoing")}, -1, 1) as sign
            from {of}
        )"""


def _cut(draw: _Draw, part: str) -> str:
    """Return SQL of where a part of a split amount begins: where the one before it ends, so they sum to the whole."""
    drift = draw.below(801, "cut", f"(fact * {PARTS} + {part})")
    return f"""case when {part} = 0 then 0 when {part} = parts then cents
        else cents * ({part} * 1000 + {drift} - 400) // (parts * 1000) end"""


def _part_amount(draw: _Draw) -> str:
    return f"(({_cut(draw, '(part + 1)')}) - ({_cut(draw, 'part')}))"


def _transposed() -> str:
    """Return SQL of the amount with two neighbouring digits swapped, the first pair that differs."""

    def digit(place: int) -> str:
        return f"cents // {10**place} % 10"

    whens = " ".join(
        f"when {digit(place)} <> {digit(place + 1)} "
        f"then cents + {9 * 10**place} * ({digit(place)} - {digit(place + 1)})"
        for place in (1, 0, 2)
    )
    # Where all digits are the same there is nothing to swap: one is wrong instead.
    return f"case {whens} else cents + 10 end"


def _theirs_cents(world: World, draw: _Draw) -> str:
    drift = f"({draw.below(2 * world.fx_ppm + 1, 'rate')} - {world.fx_ppm})"
    share = f"(30 + {draw.below(61, 'paid')})"
    return f"""sign * case kind
        when 'fee_percent' then cents - (cents * {world.fee_bp} + 5000) // 10000
        when 'fee_fixed' then cents - {world.fee_cents}
        when 'fx' then (cents * ({MILLION} + {drift}) + {MILLION // 2}) // {MILLION}
        when 'partial' then cents * {share} // 100
        when 'transposed' then {_transposed()}
        when 'wrong_sign' then -cents
        when 'one_to_many' then {_part_amount(draw)}
        when 'reversal' then if(part = 1, -cents, cents)
        else cents
    end"""


def _ours_cents(draw: _Draw) -> str:
    return f"""sign * case kind
        when 'many_to_one' then {_part_amount(draw)}
        when 'reversal' then if(part = 1, -cents, cents)
        else cents
    end"""


def _day(draw: _Draw, side: str) -> str:
    """Return SQL of a row's date. Parts come within four days, a copy or a reversal one to three days after."""
    spread = draw.below(5, f"{side} part day", "seat")
    moved = f"- {spread}" if side == "ours" else f"+ {spread}"
    group = "many_to_one" if side == "ours" else "one_to_many"
    lag = "0" if side == "ours" else "lag"
    return f"""date '{FIRST_DAY}' + (day + {lag} + case
        when kind = '{group}' then 0 {moved}
        when kind in ('duplicate', 'reversal') and part = 1 then 1 + {draw.below(3, "later", "seat")}
        else 0 end)::int"""


def _named(draw: _Draw, of: str) -> str:
    """Return SQL that adds the words of a row's memo to the relation `of`."""
    first, second, third = (draw.one_of(SYLLABLES, f"syllable {place}", "party") for place in range(3))
    # What stands on the one side of a group refers to the group's first part.
    return f"""
        select *, upper({first}[1]) || {first}[2:] || {second} || {third} as name,
            {draw.one_of(TRADES, "trade", "party")} as trade, {draw.one_of(FORMS, "form", "party")} as form,
            {draw.one_of(PURPOSES, "purpose")} as purpose,
            case when is_referenced then 'RE' || lpad(({draw.bits("reference", "reference_seat")} % 10000000)::varchar,
                7, '0') end as reference
        from ({of})"""


def _mistyped(draw: _Draw, memo: str) -> str:
    """Return SQL of a memo with one letter dropped, doubled or wrong, not the first."""
    place = f"(2 + ({draw.bits('typo place', 'seat')} % greatest(length({memo}) - 2, 1))::bigint)"
    letter = draw.one_of(tuple("aeiorstnl"), "typo letter", "seat")
    return f"""case {draw.below(3, "typo", "seat")}
        when 0 then {memo}[:{place} - 1] || {memo}[{place} + 1:]
        when 1 then {memo}[:{place}] || {memo}[{place}:]
        else {memo}[:{place} - 1] || {letter} || {memo}[{place} + 1:] end"""


def _noisy(noise: MemoNoise, draw: _Draw, of: str) -> str:
    """Return SQL that adds their memo to the relation `of`: one layer for each noise, from the words outward."""
    happens = {one.name: draw.happens(getattr(noise, one.name), one.name, "seat") for one in dataclasses.fields(noise)}
    layers = (
        f"""if({happens["abbreviated"]}, trade[:4], trade) as trade_said,
            if({happens["abbreviated"]}, null, form) as form_said""",
        f"""if({happens["reordered"]}, concat_ws(' ', reference, purpose, name, form_said, trade_said),
            concat_ws(' ', name, trade_said, form_said, purpose, reference)) as said""",
        f"if({happens['mistyped']}, {_mistyped(draw, 'said')}, said) as typed",
        f"""if({happens["extended"]}, {draw.one_of(EXTENSIONS, "extension", "seat")} || typed || ' /' ||
            lower(hex({draw.bits("extension tail", "seat")})[:8]), typed) as extended""",
        f"if({happens['cased']}, upper(extended), extended) as cased",
        f"if({happens['truncated']}, cased[:16 + {draw.below(12, 'length', 'seat')}], cased) as cut",
        f"if({happens['missing']}, null, rtrim(cut)) as memo",
    )
    for layer in layers:
        of = f"select *, {layer} from ({of})"
    return of


def _places(world: World, draw: _Draw, side: str) -> str:
    """Return SQL of a side's rows as fact and part, in the order of the file."""
    here, many = (0, "many_to_one") if side == "ours" else (1, "one_to_many")
    absent = "lone_theirs" if side == "ours" else "lone_ours"
    facts = _facts(world, draw, f"(select range as fact, 0 as part from range({world.rows}))")
    return f"""
        select fact, part from (
            select fact, unnest(range(case
                when kind = '{absent}' then 0
                when kind = '{many}' then parts
                when kind = 'duplicate' and side = {here} then 2
                when kind = 'reversal' then if(side = {here}, 2, 0)
                else 1 end)) as part
            from ({facts})
        )
        order by {draw.bits(f"order of {side}", f"(fact * {PARTS} + part)")}, fact, part"""


def _side(world: World, draw: _Draw, side: str) -> str:
    """Return SQL of a side's file, from the table of its places."""
    referenced = draw.happens(world.referenced, "is referenced")
    many = "many_to_one" if side == "ours" else "one_to_many"
    seat = f"fact * {PARTS} + if(kind = '{many}', part, 0)"
    facts = _facts(world, draw, f"{side}_place")
    named = _named(draw, f"select *, {referenced} as is_referenced, {seat} as reference_seat from ({facts})")
    cents = _ours_cents(draw) if side == "ours" else _theirs_cents(world, draw)
    amount = f"(({cents})::decimal(18, 0) * 0.01::decimal(3, 2))::decimal(18, 2) as amount"
    party = ", name || ' ' || trade || ' ' || form as party" if world.has_party else ""
    day = _day(draw, side)
    if side == "ours":
        memo = "concat_ws(' ', name, trade, form, purpose, reference)"
        return f"select {day} as posted, {amount}, {memo} as description{party} from ({named})"
    return f"select {day} as date, {amount}, memo{party} from ({_noisy(world.memo, draw, named)})"


def _truth(world: World, draw: _Draw) -> str:
    """Return SQL of the pairs. Of a duplicate the first is the pair, the copy is lone."""
    return f"""
        select ours_row, theirs_row, kind from ({_facts(world, draw, "both_places")})
        where kind = 'one_to_many' or (part = 0 and (kind = 'many_to_one' or ours_part = 0))
        order by ours_row, theirs_row"""


def _lone(world: World, draw: _Draw, side: str) -> str:
    return f"""
        select '{side}' as side, row, kind from ({_facts(world, draw, f"{side}_place")})
        where kind in ('lone_{side}', 'reversal') or (kind = 'duplicate' and part = 1)"""


def make(world: World, folder: Path, form: str = "parquet") -> Files:
    """Write the files of a world and return where they are. They take about 35 bytes a row as Parquet."""
    import duckdb  # noqa: PLC0415 (contenders read this module where there is none)

    if form not in FORMATS:
        raise ValueError(f"{form!r} is no format of a world; give one of {', '.join(FORMATS)}")
    folder.mkdir(parents=True, exist_ok=True)
    files, draw = files_of(folder, form), _Draw(world.seed)
    with duckdb.connect() as connection:
        connection.execute(f"set temp_directory = '{folder / 'tmp'}'")
        for side, path in (("ours", files.ours), ("theirs", files.theirs)):
            connection.execute(f"create temp table {side}_order as {_places(world, draw, side)}")
            connection.execute(
                f"create temp view {side}_place as select rowid + 1 as row, fact, part from {side}_order"
            )
            connection.execute(f"copy ({_side(world, draw, side)}) to '{path}'")
        connection.execute("""
            create temp view both_places as
            select fact, theirs.part, ours.part as ours_part, ours.row as ours_row, theirs.row as theirs_row
            from ours_place as ours join theirs_place as theirs using (fact)
        """)
        connection.execute(f"copy ({_truth(world, draw)}) to '{files.truth}'")
        lone = " union all ".join(_lone(world, draw, side) for side in ("ours", "theirs"))
        connection.execute(f"copy (from ({lone}) order by side, row) to '{files.lone}'")
    return files


def main() -> None:
    parser = argparse.ArgumentParser(description="Make a world: two files without a common key, and their truth.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--format", choices=FORMATS, default="parquet", dest="form")
    chosen = parser.parse_args()
    print(make(World(rows=chosen.rows, seed=chosen.seed), chosen.folder, chosen.form))


if __name__ == "__main__":
    main()
