"""Our search: `first` ends with two sets, `all` lists every set of up to so many, `default` asks as it comes."""

import json
import sys
import time
from pathlib import Path

from bench.measure import report
from tieout.engine.settlement.subset_sum import Search, find_subsets


def main() -> None:
    question = json.loads(Path(sys.argv[1]).read_text())
    amounts, target, size = question["amounts"], question["target"], question["max_size"]
    search = {
        "first": Search(max_size=size, max_found=1),
        "all": Search(max_size=size, max_found=1_000_000, node_budget=10_000_000),
        "default": Search(),
    }[sys.argv[2]]
    started = time.perf_counter()
    answer = find_subsets(amounts, target, search)
    seconds = time.perf_counter() - started
    assert all(sum(amounts[place] for place in chosen) == target for chosen in answer.found)
    report(
        seconds,
        count=answer.count,
        planted=int(tuple(question["planted"]) in answer.found),
        is_complete=int(answer.is_complete),
        nodes=answer.nodes,
    )


if __name__ == "__main__":
    main()
