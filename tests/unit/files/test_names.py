"""Names of files, however hostile."""

import pytest

from chatapp.files.names import clean_name, with_suffix


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("report.pdf", "report.pdf"),
        ("Übersicht 東京 👩‍👩‍👧.png", "Übersicht 東京 👩‍👩‍👧.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ana\\photo.jpg", "photo.jpg"),
        ("folder/", "folder"),
        ("..", "file"),
        ("", "file"),
        (".gitignore", "gitignore"),
        ("photo\u202egpj.exe", "photogpj.exe"),
        ("a\0b\r\nSet-Cookie: x.txt", "ab Set-Cookie: x.txt"),
        ("\u200b.txt", "txt"),
        ("\u200d", "file"),
        ("a\ud800b.txt", "ab.txt"),
    ],
    ids=ascii,
)
def test_a_name_is_one_visible_line_without_folders(name: str, shown: str):
    assert clean_name(name) == shown


def test_a_long_name_keeps_its_suffix():
    assert clean_name("x" * 10_000 + ".jpeg") == "x" * 250 + ".jpeg"
    assert clean_name("x." + "y" * 10_000) == "x." + "y" * 253


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("photo.JPG", "photo.JPG"),
        ("photo.heic", "photo.jpg"),
        ("page.html", "page.jpg"),
        ("photo", "photo.jpg"),
        ("Screenshot 10.15", "Screenshot 10.15.jpg"),
        ("x" * 255, "x" * 251 + ".jpg"),
    ],
)
def test_a_wrong_suffix_is_replaced(name: str, shown: str):
    assert with_suffix(name, (".jpg", ".jpeg")) == shown
