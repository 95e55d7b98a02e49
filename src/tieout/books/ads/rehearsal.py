"""A dry run of several stages: each sees what the one before would have stored, and nothing is stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tieout.books.ads.pieces import BOOK
from tieout.books.workspace import Workspace
from tieout.store.opening import Store, open_store
from tieout.store.runs import Run, Runs


@dataclass(frozen=True)
class _RunsOver(Runs):
    """Runs of a rehearsal, in place of those that the same windows really point to."""

    under: Runs

    def list_current(self, book: str, leg: str) -> tuple[Run, ...]:
        rehearsed = super().list_current(book, leg)
        windows = {run.window for run in rehearsed}
        real = [run for run in self.under.list_current(book, leg) if run.window not in windows]
        return tuple(sorted([*rehearsed, *real], key=lambda run: run.window.window))

    def file_path(self, of: Run, name: str) -> Path:
        is_rehearsed = self.folders.run(of.run_id).exists()
        return super().file_path(of, name) if is_rehearsed else self.under.file_path(of, name)


@dataclass(frozen=True)
class _StoreOver(Store):
    under: Store

    @property
    def runs(self) -> Runs:
        return _RunsOver(self.state, self.folders, self.tenant, self.under.runs)


@dataclass(frozen=True)
class _Rehearsal(Workspace):
    under: Workspace


def real_of(workspace: Workspace) -> Workspace:
    """Return the workspace under a rehearsal; one that is no rehearsal is its own."""
    return workspace.under if isinstance(workspace, _Rehearsal) else workspace


@contextmanager
def rehearsing(workspace: Workspace) -> Iterator[Workspace]:
    """Give a workspace that reads what is really there and stores beside it; afterwards that is removed."""
    with workspace.store.folders.scratch(f"{BOOK}-rehearsal") as folder:
        settings = replace(
            workspace.settings,
            data_dir=folder / "data",
            state_url=f"sqlite:///{folder / 'state.db'}",
            tenant=workspace.store.tenant,
        )
        opened = open_store(settings, now=workspace.now())
        try:
            store = _StoreOver(opened.state, opened.folders, opened.tenant, workspace.store)
            yield _Rehearsal(settings, store, workspace.now, workspace)
        finally:
            opened.close()
