from __future__ import annotations

import base64
import subprocess
import sys
import threading

import pytest

from tieout.core.sealing import KEY_FILE, SealedOtherwise, Sealer, SecretKeyUnusable, open_sealer, parse_key


def key(byte):
    return base64.b64encode(bytes([byte]) * 32).decode()


def test_what_was_sealed_opens_for_its_context_alone(tmp_path):
    sealer = open_sealer(key(1), tmp_path)
    sealed = sealer.seal(b"secret", "webhook/1")
    assert sealer.open(sealed, "webhook/1") == b"secret"
    with pytest.raises(SealedOtherwise, match="webhook/2"):
        sealer.open(sealed, "webhook/2")
    assert not (tmp_path / KEY_FILE).exists()


def test_the_same_secret_is_never_sealed_to_the_same_text(tmp_path):
    sealer = open_sealer(key(1), tmp_path)
    assert sealer.seal(b"secret", "x") != sealer.seal(b"secret", "x")


def test_another_key_gives_one_clear_error_without_the_secret(tmp_path):
    sealed = open_sealer(key(1), tmp_path).seal(b"secret", "x")
    with pytest.raises(SealedOtherwise, match="TIEOUT_SECRET_KEY") as caught:
        open_sealer(key(2), tmp_path).open(sealed, "x")
    assert key(2) not in str(caught.value)


@pytest.mark.parametrize(
    "damage", ["", "v1", "v1.", "v2.{k}.{t}", "v1.{k}", "v1.{k}.", "v1.{k}.!", "v1.{k}.é", "v1.{k}.AAAA"]
)
def test_a_damaged_text_gives_the_same_error(tmp_path, damage):
    sealer = open_sealer(key(1), tmp_path)
    _, name, text = sealer.seal(b"secret", "x").split(".")
    with pytest.raises(SealedOtherwise):
        sealer.open(damage.format(k=name, t=text), "x")


def test_each_flipped_bit_is_noticed(tmp_path):
    sealer = open_sealer(key(1), tmp_path)
    head, name, text = sealer.seal(b"s", "x").split(".")
    body = base64.urlsafe_b64decode(text)
    for place in range(len(body) * 8):
        flipped = bytearray(body)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(SealedOtherwise):
            sealer.open(f"{head}.{name}.{base64.urlsafe_b64encode(flipped).decode()}", "x")


def test_a_new_key_in_front_seals_and_the_old_one_still_opens(tmp_path):
    old = open_sealer(key(1), tmp_path)
    both = open_sealer(f"{key(2)},{key(1)}", tmp_path)
    assert both.open(old.seal(b"s", "x"), "x") == b"s"
    assert open_sealer(key(2), tmp_path).open(both.seal(b"s", "x"), "x") == b"s"


def test_a_key_is_never_shown(tmp_path):
    assert key(1) not in repr(open_sealer(key(1), tmp_path))
    assert "x01" not in repr(Sealer({"name": bytes([1]) * 32}))


@pytest.mark.parametrize(
    "text", ["", "abc", "é" * 44, base64.b64encode(b"x" * 31).decode(), base64.b64encode(b"x" * 33).decode()]
)
def test_what_is_not_32_bytes_in_base64_is_refused_and_not_repeated(text):
    with pytest.raises(SecretKeyUnusable, match="openssl rand") as caught:
        parse_key(text)
    assert not text or text not in str(caught.value)


def test_without_a_setting_the_key_is_a_file_for_its_owner_alone(tmp_path):
    folder = tmp_path / "new"
    first = open_sealer("", folder)
    file = folder / KEY_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in folder.iterdir()] == [KEY_FILE]
    assert open_sealer("", folder).open(first.seal(b"s", "x"), "x") == b"s"


def test_all_who_start_at_once_get_the_same_key(tmp_path):
    gate, found = threading.Barrier(8), []

    def start():
        gate.wait(10)
        found.append(open_sealer("", tmp_path).key_id)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(30)
    assert len(found) == 8
    assert len(set(found)) == 1
    assert [one.name for one in tmp_path.iterdir()] == [KEY_FILE]


def test_processes_that_start_at_once_get_the_same_key(tmp_path):
    made = "open_sealer('', pathlib.Path(sys.argv[1])).key_id"
    code = f"import sys, pathlib; from tieout.core.sealing import open_sealer; print({made})"
    command = [sys.executable, "-c", code, str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert len({one.communicate(timeout=60)[0] for one in running}) == 1


@pytest.mark.parametrize("content", [b"", b"not a key", b"\xff\xfe"])
def test_a_damaged_file_is_refused_and_stays(tmp_path, content):
    (tmp_path / KEY_FILE).write_bytes(content)
    with pytest.raises(SecretKeyUnusable):
        open_sealer("", tmp_path)
    assert (tmp_path / KEY_FILE).read_bytes() == content


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SecretKeyUnusable, match="file"):
        open_sealer("", tmp_path / "file" / "folder")
