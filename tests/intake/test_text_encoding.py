import pytest

from tests.intake.tables import save
from tieout.intake.text_encoding import Undecodable, Utf8Evidence, by_mark, guess_legacy, transcode

CZECH = "Datum;Protistrana;Částka\n2024-01-05;Jiří Dvořák;nájemné, děkuji\n2024-01-06;Kateřina;Účet, šťáva\n"
POLISH = "Data;Kontrahent;Opis\n2024-01-05;Łukasz Żółć;Zapłata za fakturę\n2024-01-06;Bożena;Opłata miesięczna\n"
GERMAN = "Tag;Empfänger;Betrag\n05.01.2024;Müller GmbH;Miete für März\n06.01.2024;Käthe Größ;Überweisung\n"
FRENCH = "Date;Libellé;Débit\n05/01/2024;Prélèvement électricité;12,50\n06/01/2024;Café à emporter;3,20\n"
RUSSIAN = "Дата;Контрагент;Сумма\n05.01.2024;ООО Ромашка;Оплата по счёту\n06.01.2024;Иванов Иван;Возврат\n"
JAPANESE = "日付,取引先,金額\n2024/01/05,株式会社テスト,家賃\n2024/01/06,山田太郎,返金\n"
CHINESE = "日期,对方,金额\n2024/01/05,测试有限公司,房租\n2024/01/06,张三,退款\n"
KOREAN = "날짜,거래처,금액\n2024/01/05,주식회사 테스트,임대료\n2024/01/06,김철수,환불\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (CZECH, "cp1250"),
        (POLISH, "cp1250"),
        (GERMAN, "cp1252"),
        (FRENCH, "latin-1"),
        (RUSSIAN, "cp1251"),
        (JAPANESE, "shift_jis"),
        (CHINESE, "gb18030"),
        (KOREAN, "euc_kr"),
        ("id,amount\n1,£5.00\n2,£6.10\n", "cp1252"),
        ("id,amount\n1,5.00€\n", "cp1252"),
        ("id;amount\n1;1\u00a0250,00\n", "cp1252"),
        ("id|amount\n" + "".join(f"{i}|{'€£'[i % 2]}{i},312.50\n" for i in range(1, 40)), "cp1252"),
        ("id;amount\n" + "".join(f"{i};{i}\u00a0312,50 €\n" for i in range(1, 40)), "cp1252"),
        ("id;amount;name\n" + "".join(f"{i};£{i}.50;Émile Müller\n" for i in range(1, 40)), "cp850"),
        (POLISH + "".join(f"{i};€{i}.50;Zapłata\n" for i in range(1, 40)), "cp1250"),
        ("id,name\n1,Café\n", "cp1252"),
    ],
)
def test_the_guess_reads_the_text_as_it_was_written(text, encoding):
    written = text.encode(encoding)
    evidence = b"\n".join(line for line in written.splitlines() if not line.isascii())
    assert written.decode(guess_legacy(evidence)) == text


def test_a_text_that_fits_no_code_page_is_still_read():
    assert b"caf\x81\x8d\x8f".decode(guess_legacy(b"caf\x81\x8d\x8f"))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_marks_and_wide_text_show_themselves(encoding):
    found, mark = by_mark("id,name\n1,plain text\n".encode(encoding))
    assert found == {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(encoding, encoding)
    assert mark == {"utf-8-sig": 3, "utf-16": 2, "utf-32": 4}.get(encoding, 0)


def test_a_few_nul_bytes_do_not_make_utf_16():
    assert by_mark(b"id,name\n1,a\0b\n2,c\0\n3,d\n") == ("", 0)


def test_evidence_holds_over_chunks_that_cut_a_character():
    evidence = Utf8Evidence()
    text = "é€😀".encode()
    for i in range(len(text)):
        evidence.watch(text[i : i + 1])
    evidence.watch(b"", is_last=True)
    assert evidence.is_valid


def test_evidence_tells_damaged_utf_8_from_another_encoding():
    damaged, other, cut = Utf8Evidence(), Utf8Evidence(), Utf8Evidence()
    damaged.watch("é\nü\nñ\n".encode() + b"\xfc\n")
    other.watch("M\xfcller\nGr\xf6\xdfe\n".encode("latin-1"))
    cut.watch("é".encode()[:1])
    cut.watch(b"", is_last=True)
    assert (damaged.is_valid, damaged.is_mostly_valid) == (False, True)
    assert (other.is_valid, other.is_mostly_valid, other.sample) == (False, False, b"M\xfcller\nGr\xf6\xdfe")
    assert not cut.is_valid


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "cp1252", "utf-8-sig"])
def test_a_utf_8_copy_holds_the_same_text_line_ends_and_all(tmp_path, encoding):
    text = "id;naïve\r\n1;\n2;€" * 300_000
    copy = tmp_path / "copy"
    calls = []
    path = save(tmp_path, text.encode(encoding))
    assert transcode(path, encoding, copy, on_progress=lambda done, total: calls.append((done, total))) is None
    assert copy.read_bytes() == text.encode()
    assert calls[-1] == (path.stat().st_size, path.stat().st_size)


def test_no_copy_is_left_of_a_text_with_an_undecodable_byte(tmp_path):
    copy = tmp_path / "copy"
    assert transcode(save(tmp_path, b"a" * 10 + b"\x81"), "cp1252", copy) == Undecodable(10)
    assert not copy.exists()
    assert transcode(save(tmp_path, "ab".encode("utf-16-le") + b"\0"), "utf-16-le", copy) is not None
    assert not copy.exists()
