import pytest

from tieout.report.saving import ResultNotWritten, replace_file


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path):
    target = tmp_path / "deep" / "page.html"
    replace_file(target, b"one")
    replace_file(target, b"two")
    assert target.read_bytes() == b"two"
    assert list(target.parent.iterdir()) == [target]


def test_a_folder_that_is_a_file_is_explained(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ResultNotWritten, match=r"page\.html could not be written") as caught:
        replace_file(tmp_path / "file" / "page.html", b"")
    assert caught.value.remedy
    assert caught.value.exit_code == 20


def test_a_long_name_is_written(tmp_path):
    target = tmp_path / ("n" * 240 + ".html")
    replace_file(target, b"x")
    assert list(tmp_path.iterdir()) == [target]
