"""dpss: `find_subset` lists every set of up to so many amounts; `sequence_matcher` for one answer is its first.

It gets what suits it: amounts divided by what they share, in the order asked for, and the size that is enough.
"""

import json
import math
import sys
import time
from pathlib import Path

import dpss

from bench.measure import report


def main() -> None:
    question = json.loads(Path(sys.argv[1]).read_text())
    step = math.gcd(*question["amounts"])
    amounts = sorted((amount // step for amount in question["amounts"]), reverse=sys.argv[3] == "descending")
    target = question["target"] // step
    started = time.perf_counter()
    if sys.argv[2] == "all":
        found = dpss.find_subset(amounts, target, question["max_size"])
    else:
        # All keys and any of the targets, in one answer: the payment on one side, the invoices on the other.
        answers = dpss.sequence_matcher([target], amounts, 1, question["max_size"], 1, True, False)
        found = [chosen for answer in answers for _, chosen in answer[0]]
    seconds = time.perf_counter() - started
    assert all(sum(chosen) == target for chosen in found)
    planted = sorted(question["amounts"][place] // step for place in question["planted"])
    report(seconds, count=len(found), planted=int(planted in [sorted(chosen) for chosen in found]))


if __name__ == "__main__":
    main()
