"""Content on its way in: to staging/ first, counted, synced, and not yet a document."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass

from davserver.documents.store import Store
from davserver.errors import IncompleteUpload, TooLarge

_BLOCK = 256 * 1024
_HASHES = {"sha1": "sha1", "md5": "md5", "sha256": "sha256"}


@dataclass(frozen=True)
class Announced:
    """What the client said of the content before sending it.

    `length` in bytes, None for a chunked body without X-Expected-Entity-Length; `modified` in
    seconds since 1970 UTC; `checksum` as OC-Checksum has it, `ALGORITHM:hexadecimal`, or "".
    """

    length: int | None = None
    modified: int | None = None
    checksum: str = ""


def receive(
    store: Store, uid: str, read: Callable[[int], bytes], announced: Announced, limit: int
) -> int:
    """Write what `read` gives to the staged file `uid`, make it durable, return its size.

    `read(n)` gives up to n bytes, and none when there are no more. Raises `TooLarge` beyond
    `limit` bytes and `IncompleteUpload` if what came is not what was announced; the staged file
    is gone then.
    """
    staged = store.staged(uid)
    try:
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            size = _pour(read, file.write, announced, limit)
            if announced.modified is not None:
                _set_modified(descriptor, announced.modified, uid)
            os.fsync(descriptor)
    except BaseException:
        store.discard(uid)
        raise
    return size


def _pour(
    read: Callable[[int], bytes],
    write: Callable[[memoryview], int | None],
    announced: Announced,
    limit: int,
) -> int:
    size = 0
    digest = _digest(announced.checksum)
    while block := _block(read, announced.length, size):
        size += len(block)
        if size > limit:
            raise TooLarge()
        if digest is not None:
            digest.update(block)
        view = memoryview(block)
        while view:
            view = view[write(view) or 0 :]
    if announced.length is not None and size != announced.length:
        raise IncompleteUpload()
    if digest is not None and digest.hexdigest() != announced.checksum.partition(":")[2].lower():
        raise IncompleteUpload()
    return size


def _block(read: Callable[[int], bytes], length: int | None, size: int) -> bytes:
    # One byte more than announced is asked for, to see whether there is one.
    wanted = _BLOCK if length is None else min(_BLOCK, length + 1 - size)
    try:
        return read(wanted) if wanted > 0 else b""
    except (OSError, ValueError):
        # The connection broke, or the chunks make no sense.
        raise IncompleteUpload() from None


def _digest(checksum: str) -> "hashlib._Hash | None":
    algorithm = _HASHES.get(checksum.partition(":")[0].lower())
    return hashlib.new(algorithm, usedforsecurity=False) if algorithm else None


def _set_modified(descriptor: int, seconds: int, uid: str) -> None:
    """Set the time of modification, with a fraction of a second that nobody else has.

    ETags hold it: two contents with the same whole second must not share one.
    """
    fraction = int(uid[:12], 16) % 1_000_000_000
    os.utime(descriptor, ns=(seconds * 1_000_000_000, seconds * 1_000_000_000 + fraction))
