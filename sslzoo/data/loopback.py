"""TensorFlow's servers listen on all interfaces; these are made to answer this machine alone."""

import contextlib
import ctypes
import os
import socket
import stat
import struct
import sys
from collections.abc import Iterator

ATTACH_FILTER = 26  # SO_ATTACH_FILTER of Linux
NETWORK = 0xFFF00000  # the start of a packet's network header, for a filter
LOAD_BYTE, LOAD_WORD, MASK, EQUAL, RETURN = 0x30, 0x20, 0x54, 0x15, 0x06
# Classic BPF: (operation, steps to skip if equal, if not, number). Packets from 127.0.0.0/8 and ::1 pass.
PROGRAM = (
    (LOAD_BYTE, 0, 0, NETWORK),
    (MASK, 0, 0, 0xF0),
    (EQUAL, 0, 2, 0x40),  # version 4
    (LOAD_BYTE, 0, 0, NETWORK + 12),
    (EQUAL, 8, 9, 127),
    (LOAD_WORD, 0, 0, NETWORK + 8),
    (EQUAL, 0, 7, 0),
    (LOAD_WORD, 0, 0, NETWORK + 12),
    (EQUAL, 0, 5, 0),
    (LOAD_WORD, 0, 0, NETWORK + 16),
    (EQUAL, 0, 3, 0),
    (LOAD_WORD, 0, 0, NETWORK + 20),
    (EQUAL, 0, 1, 1),
    (RETURN, 0, 0, 0xFFFFFFFF),
    (RETURN, 0, 0, 0),
)


def is_loopback(host: str) -> bool:
    """Whether a name or address is this machine's own, which no other machine reaches."""
    return host in ("localhost", "::1") or host.startswith("127.")


@contextlib.contextmanager
def loopback_only() -> Iterator[None]:
    """Servers that are started in the block take connections from this machine alone.

    Raises:
        OSError: the system cannot do that.
    """
    if not sys.platform.startswith("linux"):
        raise OSError("only Linux can keep a data service to this machine")
    before = set(_listening())
    yield
    for descriptor in set(_listening()) - before:
        with socket.socket(fileno=os.dup(descriptor)) as listening:
            _filter(listening)


def _listening() -> list[int]:
    """Descriptors of this process's listening sockets."""
    return [number for number in map(int, os.listdir("/proc/self/fd")) if _listens(number)]


def _listens(descriptor: int) -> bool:
    with contextlib.suppress(OSError):  # of a descriptor that was closed meanwhile
        if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            with socket.socket(fileno=os.dup(descriptor)) as candidate:
                return candidate.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1
    return False


def _filter(listening: socket.socket) -> None:
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in PROGRAM))
    program = struct.pack("HL", len(PROGRAM), ctypes.addressof(code))
    listening.setsockopt(socket.SOL_SOCKET, ATTACH_FILTER, program)
