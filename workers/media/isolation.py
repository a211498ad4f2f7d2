"""Takes away from the process what decoding does not need."""

import ctypes

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000


def isolate() -> bool:
    """Leave the network, where Linux permits it, and return whether it did. Containers often forbid it."""
    libc = ctypes.CDLL(None, use_errno=True)
    # Only an administrator may leave the network without a user namespace.
    return not libc.unshare(CLONE_NEWNET) or not libc.unshare(CLONE_NEWUSER | CLONE_NEWNET)
