"""Failures of decoders."""

import errno


def reraise_unless_content(error: Exception) -> None:
    """Raise an error again that the content of the file has not caused: no memory is left, or the disk is full.

    Decoders raise almost any class of exception for a corrupt file, also `OSError`, but then without a number.
    """
    if isinstance(error, MemoryError):
        raise error
    if isinstance(error, OSError) and error.errno == errno.ENOMEM:
        raise MemoryError from error
    if isinstance(error, OSError) and error.errno is not None:
        raise error
