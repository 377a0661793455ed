"""Files from outside, read with a bound: what is larger is refused before it is read."""

from __future__ import annotations

import errno
from pathlib import Path

MOST_CATALOGUE_BYTES = 256 * 2**20  # as much as admin.max_body_bytes lets come over the network
MOST_CONFIGURATION_BYTES = 2**20
MOST_SECRET_BYTES = 64 * 2**10


def read(path: Path, most: int) -> bytes:
    """Return the content of a file.

    Raises:
        OSError: It cannot be read, or has more than `most` bytes; at most one more is read.
    """
    with path.open("rb") as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", str(path))
    return data


def read_text(path: Path, most: int) -> str:
    """Return the UTF-8 text of a file, its line ends as they are.

    Raises:
        OSError: It cannot be read, or has more than `most` bytes.
        UnicodeDecodeError: It is not UTF-8.
    """
    return read(path, most).decode()


def reason(error: OSError | UnicodeDecodeError) -> str:
    """Return why a file cannot be read, without its name and its content, which may be a secret."""
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} is not UTF-8"
    return error.strerror or str(error)
