"""Opening the store: the state database, the data folder that belongs to it, and the tenant who asks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Self

from tieout.core.settings import Settings
from tieout.store.artifacts import Artifacts
from tieout.store.folders import Folders, bind_folder
from tieout.store.review import Reviews
from tieout.store.runs import Runs
from tieout.store.sources import Sources
from tieout.store.state import State, open_state


@dataclass(frozen=True)
class Store:
    """An open store, as one tenant sees it."""

    state: State
    folders: Folders
    tenant: str

    @property
    def artifacts(self) -> Artifacts:
        return Artifacts(self.state, self.folders, self.tenant)

    @property
    def runs(self) -> Runs:
        return Runs(self.state, self.folders, self.tenant)

    @property
    def sources(self) -> Sources:
        return Sources(self.state, self.folders, self.tenant)

    @property
    def reviews(self) -> Reviews:
        return Reviews(self.state, self.tenant)

    def close(self) -> None:
        """Close the state database."""
        self.state.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_store(settings: Settings, *, now: datetime) -> Store:
    """Open the store that the settings name; make what is missing.

    Raises DataFolderUnusable, DataFolderOfAnotherState, StateUnavailable and StateIsNewer.
    """
    folders = Folders(settings.data_dir)
    folders.make()
    state = open_state(settings.state_url)
    try:
        bind_folder(state, folders, now=now)
    except BaseException:
        state.close()
        raise
    return Store(state.of(settings.tenant), folders, settings.tenant)
