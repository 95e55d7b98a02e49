import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DECISIONS = REPOSITORY / "docs/decisions"
RECORDS = sorted(DECISIONS.glob("[0-9]*.md"))
HEADINGS = ["Context", "Decision", "Consequences", "Alternatives", "Held by"]


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_a_decision_record_is_one_page_with_every_part(record):
    text = record.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert len(text.splitlines()) < 60
    decision = text.partition("## Decision")[2].partition("## ")[0].strip()
    assert decision.count(". ") == 0, "a decision is one sentence"
    assert f"({record.name})" in (DECISIONS / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [*RECORDS, *REPOSITORY.glob("*.md"), *REPOSITORY.glob("bench/*.md")], ids=str)
def test_every_file_of_ours_that_a_page_names_is_there(page):
    named = re.findall(r"`((?:src|tests|checks|tools|bench|docs)/[\w./-]+?)`", page.read_text(encoding="utf-8"))
    made = {"bench/.data", "bench/.venvs"}
    assert [path for path in named if path not in made and not (REPOSITORY / path).exists()] == []


def test_records_are_numbered_without_gaps():
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))


def test_the_glossary_explains_each_word_once():
    text = (REPOSITORY / "docs/glossary.md").read_text(encoding="utf-8")
    words = [word for cell in re.findall(r"^\| ([^|]+?) \|", text, re.MULTILINE) for word in cell.split(", ")]
    words = [word for word in words if word not in {"word", "---"}]
    assert len(words) > 40
    assert sorted(words) == sorted(set(words))
