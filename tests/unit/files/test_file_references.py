"""The list of the columns that refer to stored files."""

from chatapp.models import Base
from chatapp.models.file_references import FILE_REFERENCES


def test_every_column_with_digests_of_files_is_listed() -> None:
    listed = {(reference.digest.class_.__tablename__, reference.digest.key) for reference in FILE_REFERENCES}
    assert listed == {
        (table.name, column.name)
        for table in Base.metadata.tables.values()
        for column in table.columns
        if column.name.endswith("digest")
    }
