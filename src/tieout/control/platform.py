"""What every action of the platform is handed: settings, state, clock, randomness."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from tieout.control.access.memory import AccessMemory
from tieout.control.flags.reading import Flags
from tieout.core.ids import RandomBytes
from tieout.core.sealing import Sealer, open_sealer
from tieout.core.settings import Settings
from tieout.store.guards import EVERY_TENANT
from tieout.store.state import State
from tieout.store.together import Together


@dataclass(frozen=True)
class Platform:
    """An open installation; `state` sees no tenant's rows until `of` or `all_tenants` says whose."""

    settings: Settings
    state: State
    now: Callable[[], datetime]
    random_bytes: RandomBytes = os.urandom
    access: AccessMemory = field(default_factory=AccessMemory, compare=False, repr=False)
    together: Together = field(default_factory=Together, compare=False, repr=False)

    @cached_property
    def sealer(self) -> Sealer:
        """What seals secrets before they are stored; its key is made at the first use where none is set."""
        return open_sealer(self.settings.secret_key, self.settings.data_dir, self.random_bytes)

    @cached_property
    def flags(self) -> Flags:
        """The flags of the installation; raise BadSetting for a variable of the environment that cannot be read."""
        return Flags(self.state, self.settings.flags, self.now)

    def of(self, tenant: str) -> State:
        """Return the state as one tenant sees it."""
        if tenant == EVERY_TENANT:
            raise ValueError("no tenant has the name that stands for all of them")
        return self.state.of(tenant)

    @property
    def all_tenants(self) -> State:
        """The state as the platform itself sees it: sign-in, scheduler, superadmin."""
        return self.state.of(EVERY_TENANT)

    def close(self) -> None:
        """Close the state database."""
        if "flags" in self.__dict__:
            self.flags.close()
        self.state.close()
