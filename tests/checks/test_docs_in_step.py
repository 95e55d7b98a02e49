from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer

from checks.docs_in_step import Page, cli_page, compare, errors_page, main, settings_page
from tieout.core.errors import TieoutError

REPOSITORY = Path(__file__).parents[2]


def small_app(*, option_help="Keep going.", command_help="Weigh a file."):
    app = typer.Typer(help="Scales.")

    @app.command(help=command_help, epilog="[bold]Example[/bold]\n\nscales weigh apples")
    def weigh(
        source: Annotated[Path, typer.Argument(help="What to weigh.")],
        limit: Annotated[int, typer.Option("--limit", "-l", help=option_help)] = 7,
    ): ...

    @app.command(hidden=True)
    def secret(): ...

    @app.callback()
    def root(): ...

    return app


def test_every_command_and_option_is_on_the_page():
    page = cli_page(small_app(), "scales")
    assert page.faults == ()
    assert "## scales weigh\n\nWeigh a file.\n" in page.text
    assert "| `SOURCE` | What to weigh. | required |" in page.text
    assert "```text\nExample\n\nscales weigh apples\n```" in page.text
    assert "| `--limit`, `-l` | Keep going. | `7` |" in page.text


def test_hidden_commands_are_left_out():
    assert "secret" not in cli_page(small_app(), "scales").text


def test_a_command_or_option_without_words_is_a_fault():
    page = cli_page(small_app(option_help="", command_help=""), "scales")
    assert page.faults == ("`scales weigh` has no help text", "`scales weigh`: `--limit`, `-l` has no help text")


class ScaleBroken(TieoutError):
    """The scale does not move."""

    code = "scale_broken"


class ScaleBrokenTwice(TieoutError):
    code = "scale_broken"


class ScaleWithoutCode(TieoutError):
    """The scale has no plate."""


def test_every_error_code_is_on_the_page_and_belongs_to_one_error():
    page = errors_page([ScaleBroken, ScaleBrokenTwice, ScaleWithoutCode])
    assert "| `scale_broken` | The scale does not move. | 20 | 400 |" in page.text
    assert page.faults == (
        "ScaleBrokenTwice has no docstring",
        "ScaleBrokenTwice and ScaleBroken share the code scale_broken",
        "ScaleWithoutCode has no code of its own",
    )


@dataclass(frozen=True)
class Weights:
    """What the scale reads at its start."""

    plates: int = 2
    """How many plates hang on it."""
    unit: str = field(default="g", metadata={"help": "The unit it shows.", "environment": "TIEOUT_UNITS"})
    zero: int = 0


def test_every_setting_is_on_the_page_with_its_environment_variable():
    page = settings_page(Weights)
    assert "| `TIEOUT_PLATES` | How many plates hang on it. | `2` |" in page.text
    assert "| `TIEOUT_UNITS` | The unit it shows. | `g` |" in page.text
    assert page.faults == ("setting zero has no description",)


def test_a_page_that_says_something_else_is_a_fault(tmp_path):
    page = Page("cli.md", "new words\n", ())
    assert compare([page], tmp_path) == [f"{tmp_path / 'cli.md'} is missing; run: make docs"]
    (tmp_path / "cli.md").write_text("old words\n")
    assert compare([page], tmp_path) == [f"{tmp_path / 'cli.md'} is not what the code says; run: make docs"]
    (tmp_path / "cli.md").write_text("new words\n")
    assert compare([page], tmp_path) == []


def test_this_repository_is_in_step(capsys):
    assert main(["--folder", str(REPOSITORY / "docs/reference")]) == 0, capsys.readouterr().out
