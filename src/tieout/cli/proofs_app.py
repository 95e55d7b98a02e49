"""The commands on proofs: the group `tieout proofs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tieout.cli.as_printed import AsPrinted

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Day = Annotated[str | None, typer.Option("--day", metavar="YYYY-MM-DD", help="A day, UTC.")]
Month = Annotated[str | None, typer.Option("--month", metavar="YYYY-MM", help="A month.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be sealed; exit code 10.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def _group(name: str, words: str) -> typer.Typer:
    return typer.Typer(
        name=name,
        help=words,
        no_args_is_help=True,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


proofs = _group("proofs", "Seal what was published in an append-only log, and let others verify any figure offline.")
keys = _group("keys", "The keys that sign the logs of this tenant.")
proofs.add_typer(keys)


@proofs.command(
    cls=AsPrinted,
    epilog="""
    [bold]Examples[/bold]

    tieout proofs issue --day 2025-11-01

    tieout proofs issue --month 2025-11 --dry-run

    Exit codes: 0 sealed, 10 a dry run or nothing new, 20 error.
    """,
)
def issue(*, day: Day = None, month: Month = None, dry_run: DryRun = False, as_json: JsonFlag = False) -> None:
    """Seal a day, or every judged day of a month and the month: what changed since is appended, nothing rewritten."""
    from tieout.cli.app import workspace  # noqa: PLC0415 - the app mounts this module
    from tieout.cli.proofs import show_issued  # noqa: PLC0415 - help answers without the engine

    with workspace() as opened:
        code = show_issued(opened, day, month, is_dry_run=dry_run, as_json=as_json)
    raise typer.Exit(code)


@proofs.command(
    cls=AsPrinted,
    epilog="""
    [bold]Examples[/bold]

    tieout proofs verify --month 2025-11

    tieout proofs verify --delta win:2025-11-01T00:00:00Z..2025-11-02T00:00:00Z:underpay

    tieout proofs verify --bundle underpay.json --key 'proofs.example.com/acme/ads+1a2b3c4d+AQ…'

    Exit codes: 0 ok, 10 not found or not verified, 20 error.
    """,
)
def verify(
    *,
    day: Day = None,
    month: Month = None,
    delta: Annotated[str | None, typer.Option("--delta", metavar="ID", help="Evidence id of a delta.")] = None,
    bundle: Annotated[Path | None, typer.Option("--bundle", metavar="FILE", help="A proof bundle.")] = None,
    key: Annotated[
        list[str] | None, typer.Option("--key", metavar="VKEY", help="With --bundle: who must have signed.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Hold a day, a month or a delta against signature, log and what is published now; or a bundle against itself.

    not_found, digest_mismatch, signature_invalid_or_missing or ok; the row that does not fit is named.
    """
    from tieout.cli.proofs import show_bundle_verified, show_verified  # noqa: PLC0415

    if bundle is not None:
        raise typer.Exit(show_bundle_verified(bundle, key or [], as_json=as_json))
    from tieout.cli.app import workspace  # noqa: PLC0415

    with workspace() as opened:
        code = show_verified(opened, day, month, delta, as_json=as_json)
    raise typer.Exit(code)


@proofs.command(
    "list",
    epilog="""
    [bold]Examples[/bold]

    tieout proofs list --day 2025-11-01 --kind match

    tieout proofs list --day 2025-11-01 --find request-4711 --json
    """,
)
def list_rows(
    *,
    day: Annotated[str, typer.Option("--day", metavar="YYYY-MM-DD", help="A sealed day, UTC.")],
    kind: Annotated[
        str | None, typer.Option("--kind", help="delta, delta_part, kpi, match, expected, reported, sum or day.")
    ] = None,
    find: Annotated[str | None, typer.Option("--find", metavar="TEXT", help="Only records that say this.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100_000, help="Most records shown.")] = 100,
    as_json: JsonFlag = False,
) -> None:
    """List what a day was sealed with; the number of its leaf names each record for `proofs bundle --leaf`."""
    from tieout.cli.app import workspace  # noqa: PLC0415
    from tieout.cli.proofs import show_sealed  # noqa: PLC0415

    with workspace() as opened:
        show_sealed(opened, day, kind, find, limit=limit, as_json=as_json)


@proofs.command(
    epilog="""
    [bold]Examples[/bold]

    tieout proofs bundle win:2025-11-01T00:00:00Z..2025-11-02T00:00:00Z:underpay --out underpay.json

    tieout proofs bundle --kpi balance --day 2025-11-01

    tieout proofs bundle --leaf 4711

    Then, on any machine with Python: python verify.py underpay.json
    """
)
def bundle(
    delta: Annotated[
        str | None, typer.Argument(metavar="DELTA", help="Evidence id of a delta of a sealed day.")
    ] = None,
    *,
    kpi: Annotated[
        str | None, typer.Option("--kpi", metavar="NAME", help="Figures of the window that begins on --day: balance.")
    ] = None,
    day: Annotated[str | None, typer.Option("--day", metavar="YYYY-MM-DD", help="With --kpi: the day, UTC.")] = None,
    leaf: Annotated[
        int | None, typer.Option("--leaf", metavar="NUMBER", min=0, help="Anything sealed, as `proofs list` has it.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="File to write; by default proof-….json in this folder.")
    ] = None,
    parts: Annotated[int, typer.Option("--parts", min=0, max=100_000, help="Most parts shown, the largest.")] = 50,
    rows: Annotated[int, typer.Option("--rows", min=0, max=100_000, help="Most rows of both sides shown.")] = 200,
    as_json: JsonFlag = False,
) -> None:
    """Write one file with all that a third party needs to verify a delta, figure, match or entry; verify.py beside it.

    Its rows and totals come with it: of a delta its parts and both sides, of figures the deltas and the totals.
    """
    from tieout.cli.app import workspace  # noqa: PLC0415
    from tieout.cli.proofs import Claim, show_bundle  # noqa: PLC0415

    with workspace() as opened:
        show_bundle(opened, Claim(delta, kpi, day, leaf), out, max_parts=parts, max_rows=rows, as_json=as_json)


@proofs.command(
    epilog="""
    [bold]Examples[/bold]

    tieout proofs checkpoint > checkpoint.txt

    tieout proofs checkpoint --since 12000 > consistency.json

    tieout proofs checkpoint --add countersigned.txt --cosigner 'network.example+8d2c…+BA…'
    """
)
def checkpoint(
    *,
    since: Annotated[
        int | None, typer.Option("--since", min=0, help="Print the proof that the log begins with so many leaves.")
    ] = None,
    add: Annotated[
        Path | None, typer.Option("--add", metavar="FILE", help="Keep the countersignatures of a checkpoint.")
    ] = None,
    cosigner: Annotated[
        list[str] | None, typer.Option("--cosigner", metavar="VKEY", help="Whose countersignatures, with --add.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Print the signed checkpoint of the log; or a proof of consistency; or keep what others signed."""
    from tieout.cli.app import workspace  # noqa: PLC0415
    from tieout.cli.proofs import show_checkpoint  # noqa: PLC0415

    with workspace() as opened:
        show_checkpoint(opened, since, add, cosigner or [], as_json=as_json)


@proofs.command(
    epilog="""
    [bold]Examples[/bold]

    tieout proofs countersign --new-key network.example --key network.key

    tieout proofs countersign checkpoint.txt --key network.key --log-key 'proofs.example.com/acme/ads+…' > signed.txt

    tieout proofs countersign checkpoint.txt --key network.key --proof consistency.json > signed.txt

    Exit codes: 0 signed, 20 refused or error.
    """
)
def countersign(
    note: Annotated[Path | None, typer.Argument(metavar="CHECKPOINT", help="The checkpoint to sign.")] = None,
    *,
    key: Annotated[Path, typer.Option("--key", metavar="FILE", help="File of your countersigning key.")],
    new_key: Annotated[
        str | None, typer.Option("--new-key", metavar="NAME", help="Make the key, under this name, and stop.")
    ] = None,
    log_key: Annotated[
        list[str] | None, typer.Option("--log-key", metavar="VKEY", help="Key of the log; needed the first time.")
    ] = None,
    seen: Annotated[
        Path | None, typer.Option("--seen", metavar="FILE", help="Where it is kept what was seen; KEY.seen by default.")
    ] = None,
    proof: Annotated[
        Path | None, typer.Option("--proof", metavar="FILE", help="Proof that the log follows on what was seen.")
    ] = None,
) -> None:
    """Sign the checkpoint of somebody's log with a key of your own, on a machine of your own; no installation needed.

    It is refused when the log was cut or changed since the last checkpoint that you signed.
    """
    from tieout.cli.proofs import show_countersigned, show_new_key  # noqa: PLC0415

    if new_key is not None:
        show_new_key(key, new_key)
        return
    show_countersigned(note, key, log_key or [], seen, proof)


@proofs.command(
    epilog="""
    [bold]Example[/bold]

    tieout proofs compare our-copy their-copy

    Exit codes: 0 one history, 10 two histories or undecided, 20 error.
    """
)
def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="Folder of a log, or a checkpoint.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="What another party was shown.")],
    *,
    as_json: JsonFlag = False,
) -> None:
    """Say whether two parties were shown one history; where not, name the first leaf that differs."""
    from tieout.cli.proofs import show_compared  # noqa: PLC0415

    raise typer.Exit(show_compared(first, second, as_json=as_json))


@keys.command("list", epilog="[bold]Example[/bold]\n\ntieout proofs keys list --json")
def list_all(*, as_json: JsonFlag = False) -> None:
    """List every signing key there ever was, with the verifier key to publish."""
    from tieout.cli.app import workspace  # noqa: PLC0415
    from tieout.cli.proofs import show_keys  # noqa: PLC0415

    with workspace() as opened:
        show_keys(opened, as_json=as_json)


@keys.command(
    epilog="""
    [bold]Examples[/bold]

    tieout proofs keys rotate

    PROOFS_SIGNING_PRIVATE_KEY="$(cat key.pem)" tieout proofs keys rotate --from-environment
    """
)
def rotate(
    *,
    from_environment: Annotated[
        bool, typer.Option("--from-environment", help="Take the key of PROOFS_SIGNING_PRIVATE_KEY (PEM, Ed25519).")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Make the key that signs from now on, also the first; the one before still verifies what it signed."""
    from tieout.cli.app import workspace  # noqa: PLC0415
    from tieout.cli.proofs import show_rotated  # noqa: PLC0415

    with workspace() as opened:
        show_rotated(opened, is_from_environment=from_environment, as_json=as_json)


@keys.command(
    epilog="[bold]Example[/bold]\n\ntieout proofs keys revoke 2 --why 'the laptop was lost' --yes\n\n"
    "Exit codes: 0 done, 10 a dry run or a no, 20 error."
)
def revoke(
    number: Annotated[int, typer.Argument(metavar="NUMBER", help="Of the key, as `proofs keys list` has it.")],
    *,
    why: Annotated[str, typer.Option("--why", help="What happened; it is published.")],
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: JsonFlag = False,
) -> None:
    """Let nothing that a key signed hold any more; `proofs issue` signs it anew with the current key."""
    from tieout.cli.app import workspace  # noqa: PLC0415
    from tieout.cli.proofs import show_revoked  # noqa: PLC0415

    with workspace() as opened:
        code = show_revoked(opened, number, why, is_dry_run=dry_run, is_agreed=yes, as_json=as_json)
    raise typer.Exit(code)
