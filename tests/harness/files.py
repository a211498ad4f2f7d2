"""Files that messages have in tests."""

from chatapp.files.attached import AttachedFile

PHOTO = AttachedFile(
    digest="a" * 64,
    name="my photo.jpg",
    media_type="image/jpeg",
    kind="image",
    size=12_345,
    width=640,
    height=480,
    placeholder="data:image/webp;base64,AAAA",
    alt="The sea",
)
"""A photo with thumbnails. The store of no test has its content."""

TEXT_FILE = AttachedFile(
    digest="b" * 64, name="notes.txt", media_type="text/plain", kind="text", size=1_000, preview="first line"
)
