import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.builders import MARCH, NOW, a_published_run, a_request, a_store, settings_for
from tieout.core.settings import Settings
from tieout.store.folders import DataFolderOfAnotherState, DataFolderUnusable
from tieout.store.opening import open_store

ROOT = Path(__file__).parents[2]


def test_a_store_is_made_where_there_is_none_readable_by_its_owner_alone(tmp_path):
    with open_store(settings_for(tmp_path / "a" / "data"), now=NOW) as store:
        assert store.runs.list_runs().runs == ()
    assert stat.S_IMODE((tmp_path / "a" / "data").stat().st_mode) == 0o700
    assert (tmp_path / "a" / "data" / "state.db").is_file()


def test_what_was_published_is_there_when_the_store_is_opened_again(tmp_path):
    with a_store(tmp_path / "data") as store:
        run = a_published_run(store, a_request(store)).run
    with a_store(tmp_path / "data") as store:
        assert store.runs.current_run(MARCH) == run
        assert store.runs.damaged_files(run) == ()


def test_a_data_folder_is_refused_with_another_state_database(tmp_path):
    a_store(tmp_path / "data").close()
    other = Settings.from_environment(
        {"TIEOUT_DATA_DIR": str(tmp_path / "data"), "TIEOUT_STATE": f"sqlite:///{tmp_path}/other.db"}
    )
    with pytest.raises(DataFolderOfAnotherState, match=r"other\.db"):
        open_store(other, now=NOW)


def test_a_data_folder_whose_mark_was_removed_on_purpose_goes_on_with_another_database(tmp_path):
    with a_store(tmp_path / "data") as store:
        store.folders.mark.unlink()
    other = Settings.from_environment(
        {"TIEOUT_DATA_DIR": str(tmp_path / "data"), "TIEOUT_STATE": f"sqlite:///{tmp_path}/other.db"}
    )
    open_store(other, now=NOW).close()
    open_store(other, now=NOW).close()


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    settings = Settings.from_environment({"TIEOUT_DATA_DIR": str(tmp_path / "file" / "data")})
    with pytest.raises(DataFolderUnusable, match="file"):
        open_store(settings, now=NOW)


def test_many_processes_may_open_a_new_store_at_once(tmp_path):
    code = (
        "import sys; from pathlib import Path; from tests.store.builders import a_store\n"
        "sys.stdin.readline(); a_store(Path(sys.argv[1])).close()"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "data")], cwd=ROOT, stdin=subprocess.PIPE)
        for _ in range(6)
    ]
    for child in children:
        child.stdin.write(b"go\n")
        child.stdin.flush()
    for child in children:
        child.communicate(timeout=120)
    assert [child.returncode for child in children] == [0] * 6
    a_store(tmp_path / "data").close()
    assert [path.name for path in (tmp_path / "data").glob("folder-id*")] == ["folder-id"]
