"""Locks of files, which end with their process."""

import fcntl


def try_lock(descriptor: int, *, is_shared: bool = False) -> bool:
    """Lock an open file until its descriptor is closed. Return False while another process has locked it.

    Shared locks exclude only exclusive ones. Raises `OSError` if the file system has no locks.
    """
    operation = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_for_lock(descriptor: int, *, is_shared: bool = False) -> None:
    """Lock an open file until its descriptor is closed. It blocks: call it on a native thread in a server."""
    fcntl.flock(descriptor, fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX)
