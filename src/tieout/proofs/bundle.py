"""A bundle: one file with all that a third party needs to verify a claim offline (`offline/verify.py` reads it)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from tieout import __version__
from tieout.core.errors import TieoutError
from tieout.proofs.desk import Desk, SealedDay
from tieout.proofs.leaves import SUM, Name, leaf_hash
from tieout.proofs.notes import sign_note
from tieout.proofs.sums import SumTree, sum_tree
from tieout.store.digest import digest_text

FORMAT = "tieout-proof/1"


class RowNotSealed(TieoutError):
    """What a bundle was asked for is in no sealed day."""

    code = "row_not_sealed"
    http_status = 404


@dataclass(frozen=True)
class Picked:
    """What goes into a bundle, by place among the records of a sealed day.

    `claim` is what is to be proven and `rows` what it rests on. `totals` names the sums whose rows are shown; `amounts`
    gives, for each of them, its rows by place with their micros: all of them, so that the tree can be built again.
    """

    day: SealedDay
    claim: int
    rows: Sequence[int]
    amounts: Mapping[Name, tuple[Sequence[int], Sequence[int]]] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)
    lines: Sequence[Mapping[str, Any]] = ()
    left_out: Mapping[str, int] = field(default_factory=dict)


def make_bundle(desk: Desk, picked: Picked) -> str:
    """Return the bundle as text: JSON, signed as a whole. Raises what the keys raise where none can sign."""
    origin = desk.identity().origin
    signer = desk.keys.signer(origin)
    made = _Bundling(desk, picked).made()
    made["signed"] = sign_note(f"{origin}/bundle\n{digest_text(_spelt(made))}\n", signer)
    return _spelt(made) + "\n"


class _Bundling:
    """Collects leaves, each once, and the hashes of their proofs, each once."""

    def __init__(self, desk: Desk, picked: Picked) -> None:
        self.desk, self.picked = desk, picked
        self.log = desk.log()
        self.table: pa.Table = desk.read_leaves(picked.day.first_leaf)
        self.leaves: list[dict[str, Any]] = []
        self.place_of: dict[int, int] = {}
        self.nodes: dict[bytes, int] = {}

    def made(self) -> dict[str, Any]:
        picked, identity = self.picked, self.desk.identity()
        claim = self._leaf(picked.claim)
        seal = self._leaf(picked.day.leaf_count)
        rows = [self._leaf(place) for place in picked.rows]
        sums = [self._sum(name, *found) for name, found in picked.amounts.items()]
        return {
            "format": FORMAT,
            "made_by": f"tieout {__version__}",
            "tenant": self.desk.store.tenant,
            "book": self.desk.book,
            "day": picked.day.day.isoformat(),
            "claim": claim,
            "seal": seal,
            "rows": rows,
            "sums": [one for one in sums if one is not None],
            "rules": dict(picked.rules),
            "lines": [dict(line) for line in picked.lines],
            "left_out": {what: count for what, count in picked.left_out.items() if count},
            "checkpoint": self.log.note,
            "keys": [str(key) for key in self.desk.keys.verifiers(identity.origin)],
            "leaves": self.leaves,
            "nodes": [node.hex() for node in self.nodes],
        }

    def _leaf(self, place: int) -> int:
        """Return the place in the bundle of the leaf at `place` of the day, with its proof."""
        if place not in self.place_of:
            index = self.picked.day.first_leaf + place
            proof = [self.nodes.setdefault(node, len(self.nodes)) for node in self.log.inclusion(index)]
            self.place_of[place] = len(self.leaves)
            self.leaves.append({"index": index, "record": self._record(place), "proof": proof})
        return self.place_of[place]

    def _record(self, place: int) -> str:
        return str(self.table.column("record")[place].as_py())

    def _sum(self, name: Name, places: Sequence[int], amounts: Sequence[int]) -> dict[str, Any] | None:
        """Return the total of `name` and the proofs that the rows of the bundle are in it."""
        total = self._total_of(name)
        if total is None:
            return None
        hashed = sorted(
            (leaf_hash(self._record(place)), amount, place) for place, amount in zip(places, amounts, strict=True)
        )
        tree = sum_tree(b"".join(one for one, _, _ in hashed), np.array([amount for _, amount, _ in hashed], np.int64))
        shown = [
            {"leaf": self.place_of[place], "position": position, "proof": _siblings(tree, position)}
            for position, (_, _, place) in enumerate(hashed)
            if place in self.place_of
        ]
        return {"leaf": self._leaf(total), "rows": shown}

    def _total_of(self, name: Name) -> int | None:
        count = self.table.num_rows
        for place in range(count - 1, -1, -1):  # totals stand at the end
            kind = self.table.column("kind")[place].as_py()
            if kind == SUM and self.table.column("key")[place].as_py() == name.key:
                return place
            if kind != SUM and place < count - 1:
                return None
        return None


def _spelt(bundle: Mapping[str, Any]) -> str:
    return json.dumps(bundle, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _siblings(tree: SumTree, position: int) -> list[list[Any]]:
    return [[one.hash.hex(), str(one.credit), str(one.debit)] for one in tree.proof(position)]
