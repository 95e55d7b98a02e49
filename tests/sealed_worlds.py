"""Days of the ads book to seal, made once for all tests; each test gets a copy."""

import shutil

import pytest


@pytest.fixture(scope="session")
def judged_folder(tmp_path_factory):
    """A folder with two judged days, to be copied."""
    from tests.books.ads.proofs_world import SealedWorld  # the engine, for those who ask alone

    folder = tmp_path_factory.mktemp("judged")
    made = SealedWorld(folder)
    made.judge_days()
    made.close()
    return folder


@pytest.fixture(scope="session")
def sealed_folder(judged_folder, tmp_path_factory):
    """A folder with a sealed month, to be copied."""
    from tests.books.ads.proofs_world import SealedWorld

    folder = tmp_path_factory.mktemp("sealed") / "world"
    shutil.copytree(judged_folder, folder)
    made = SealedWorld(folder)
    made.rotate()
    made.issue_month()
    made.close()
    return folder


@pytest.fixture
def unsealed(judged_folder, tmp_path):
    """Two judged days, and no key yet."""
    yield from _copied(judged_folder, tmp_path / "world")


@pytest.fixture
def sealed(sealed_folder, tmp_path):
    """Two judged days and their month, sealed."""
    yield from _copied(sealed_folder, tmp_path / "world")


def _copied(folder, to):
    from tests.books.ads.proofs_world import SealedWorld

    shutil.copytree(folder, to)
    made = SealedWorld(to)
    yield made
    made.close()
