"""Where kits of evidence are kept: in a folder, in an S3 bucket, or in memory, each tenant's apart.

A kit is written once, durably, before anything refers to it, and never changed. What cannot be stored raises: evidence
that is silently kept elsewhere is evidence that is missing when it is asked for.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tieout.core.errors import TieoutError
from tieout.core.settings import Settings
from tieout.store.folders import fsync

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

FOLDER = "disputes"
CONNECT_S = 5.0


class KitStorageUnusable(TieoutError):
    """Kits cannot be stored as the settings say; `subject` is the setting, or the kit."""

    code = "kit_storage_unusable"
    http_status = 503


class KitGone(TieoutError):
    """A kit is on record, and not where it was stored."""

    code = "kit_gone"
    http_status = 410


class KitStorage(Protocol):
    """Keeps kits. `put` returns the address; all raise KitStorageUnusable, `get` KitGone."""

    def put(self, tenant: str, kit_id: str, content: bytes) -> str: ...

    def get(self, tenant: str, kit_id: str) -> bytes: ...

    def find_size(self, tenant: str, kit_id: str) -> int | None:
        """Return how many bytes a kit has, None where it is not here."""
        ...

    def remove(self, tenant: str, kit_id: str) -> None:
        """Remove a kit; one that is gone already is fine."""
        ...

    def check(self) -> str:
        """Return where kits go, for people; change nothing."""
        ...


def open_kit_storage(settings: Settings) -> KitStorage:
    """Return the storage that the settings name. Raises KitStorageUnusable where they do not suffice."""
    if settings.dispute_storage == "memory":
        return InMemory()
    if settings.dispute_storage == "fs":
        return InFolder(settings.dispute_fs_dir or settings.data_dir / "vra-kits")
    if not settings.dispute_bucket:
        raise KitStorageUnusable(
            "VRA_DISPUTE_STORAGE is s3, and no bucket is named.",
            subject="VRA_DISPUTE_BUCKET",
            remedy="Set VRA_DISPUTE_BUCKET, or VRA_DISPUTE_STORAGE=fs.",
        )
    return InBucket(_s3(settings), settings.dispute_bucket, settings.dispute_prefix)


class InFolder:
    """Kits as files below a folder, one folder a tenant."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()

    def put(self, tenant: str, kit_id: str, content: bytes) -> str:
        """Write a kit and wait until it is on the disk."""
        place = self._place(tenant, kit_id)
        try:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd, draft = tempfile.mkstemp(prefix=f".{kit_id}-", dir=place.parent)
            try:
                with os.fdopen(fd, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                os.link(draft, place)  # never over another
            finally:
                Path(draft).unlink()
            fsync(place.parent)
        except OSError as error:
            raise _failed(kit_id, error, "VRA_DISPUTE_FS_DIR names a folder that this account can write.") from error
        return place.as_uri()

    def get(self, tenant: str, kit_id: str) -> bytes:
        """Return a kit."""
        try:
            return self._place(tenant, kit_id).read_bytes()
        except FileNotFoundError:
            raise _gone(kit_id) from None
        except OSError as error:
            raise _failed(kit_id, error, "VRA_DISPUTE_FS_DIR names a folder that this account can read.") from error

    def find_size(self, tenant: str, kit_id: str) -> int | None:
        """Return how many bytes a kit has."""
        try:
            return self._place(tenant, kit_id).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _failed(kit_id, error, "VRA_DISPUTE_FS_DIR names a folder that this account can read.") from error

    def remove(self, tenant: str, kit_id: str) -> None:
        """Remove a kit."""
        place = self._place(tenant, kit_id)
        try:
            place.unlink(missing_ok=True)
            if place.parent.exists():
                fsync(place.parent)
        except OSError as error:
            raise _failed(kit_id, error, "VRA_DISPUTE_FS_DIR names a folder that this account can write.") from error

    def check(self) -> str:
        """Return the folder if a kit could be written there."""
        nearest = next(one for one in (self.folder, *self.folder.parents) if one.exists())
        if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
            raise KitStorageUnusable(
                f"The folder {self.folder} for kits cannot be written.",
                subject="VRA_DISPUTE_FS_DIR",
                remedy="Name a folder that this account can write.",
            )
        return str(self.folder)

    def _place(self, tenant: str, kit_id: str) -> Path:
        return self.folder / tenant / FOLDER / f"{kit_id}.json"


class InBucket:
    """Kits as objects of a bucket; who may write there is decided by the usual variables of AWS."""

    def __init__(self, files: FileSystem, bucket: str, prefix: str) -> None:
        self._files = files
        self._bucket = bucket
        self._root = "/".join(part for part in (bucket, prefix.strip("/")) if part)

    def put(self, tenant: str, kit_id: str, content: bytes) -> str:
        """Write a kit; the store has it once this returns."""
        place = self._place(tenant, kit_id)
        try:
            with self._files.open_output_stream(place) as stream:
                stream.write(content)
        except OSError as error:
            raise _failed(kit_id, error, "Check VRA_DISPUTE_BUCKET, VRA_S3_ENDPOINT and the credentials.") from error
        return f"s3://{place}"

    def get(self, tenant: str, kit_id: str) -> bytes:
        """Return a kit."""
        try:
            with self._files.open_input_stream(self._place(tenant, kit_id)) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            raise _gone(kit_id) from None
        except OSError as error:
            raise _failed(kit_id, error, "Check VRA_DISPUTE_BUCKET, VRA_S3_ENDPOINT and the credentials.") from error

    def find_size(self, tenant: str, kit_id: str) -> int | None:
        """Return how many bytes a kit has."""
        try:
            found = self._files.get_file_info(self._place(tenant, kit_id))
        except OSError as error:
            raise _failed(kit_id, error, "Check VRA_DISPUTE_BUCKET, VRA_S3_ENDPOINT and the credentials.") from error
        return None if found.type.name == "NotFound" else int(found.size)

    def remove(self, tenant: str, kit_id: str) -> None:
        """Remove a kit."""
        try:
            self._files.delete_file(self._place(tenant, kit_id))
        except FileNotFoundError:
            pass
        except OSError as error:
            raise _failed(kit_id, error, "Check VRA_DISPUTE_BUCKET, VRA_S3_ENDPOINT and the credentials.") from error

    def check(self) -> str:
        """Return the place if the bucket answers."""
        bucket = self._bucket
        try:
            found = self._files.get_file_info(bucket)
        except OSError as error:
            raise KitStorageUnusable(
                f"The bucket {bucket} does not answer: {error}.",
                subject="VRA_DISPUTE_BUCKET",
                remedy="Check VRA_S3_REGION, VRA_S3_ENDPOINT and the credentials.",
            ) from error
        if found.type.name == "NotFound":
            raise KitStorageUnusable(
                f"There is no bucket {bucket}.", subject="VRA_DISPUTE_BUCKET", remedy="Make it, or name another."
            )
        return f"s3://{self._root}"

    def _place(self, tenant: str, kit_id: str) -> str:
        return f"{self._root}/{tenant}/{FOLDER}/{kit_id}.json"


class InMemory:
    """Kits of this process, gone with it: for trying out."""

    _kits: dict[tuple[str, str], bytes] = {}  # noqa: RUF012 - of the process

    def put(self, tenant: str, kit_id: str, content: bytes) -> str:
        """Keep a kit."""
        self._kits[tenant, kit_id] = content
        return f"mem://vra/{tenant}/{FOLDER}/{kit_id}.json"

    def get(self, tenant: str, kit_id: str) -> bytes:
        """Return a kit."""
        if (tenant, kit_id) not in self._kits:
            raise _gone(kit_id)
        return self._kits[tenant, kit_id]

    def find_size(self, tenant: str, kit_id: str) -> int | None:
        """Return how many bytes a kit has."""
        content = self._kits.get((tenant, kit_id))
        return None if content is None else len(content)

    def remove(self, tenant: str, kit_id: str) -> None:
        """Forget a kit."""
        self._kits.pop((tenant, kit_id), None)

    def check(self) -> str:
        """Return where kits go."""
        return "memory: they are gone when the process ends"


def _s3(settings: Settings) -> FileSystem:
    try:
        from pyarrow.fs import S3FileSystem  # noqa: PLC0415 - 0.1 s, which no other storage needs
    except ImportError as error:
        raise KitStorageUnusable(
            "VRA_DISPUTE_STORAGE is s3, and this build of pyarrow cannot speak to S3.",
            subject="VRA_DISPUTE_STORAGE",
            remedy="Install pyarrow from its wheels, or set VRA_DISPUTE_STORAGE=fs.",
        ) from error
    given: dict[str, Any] = {"connect_timeout": CONNECT_S, "request_timeout": CONNECT_S}
    if settings.s3_region:
        given["region"] = settings.s3_region
    if settings.s3_endpoint:
        scheme, _, host = settings.s3_endpoint.rpartition("://")
        given |= {"endpoint_override": host, "scheme": scheme or "https"}
    with suppress(ValueError):
        return S3FileSystem(**given)
    raise KitStorageUnusable(
        "S3 cannot be used as the settings say.", subject="VRA_S3_ENDPOINT", remedy="Use https://host:port."
    )


def _failed(kit_id: str, error: OSError, remedy: str) -> KitStorageUnusable:
    what = (error.strerror or type(error).__name__).lower()
    return KitStorageUnusable(f"The kit of evidence {kit_id} failed: {what}.", subject=kit_id, remedy=remedy)


def _gone(kit_id: str) -> KitGone:
    return KitGone(f"The kit of evidence {kit_id} is not where it was stored.", subject=kit_id)
