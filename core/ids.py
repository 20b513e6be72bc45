"""Primary keys: UUIDv7, made here and nowhere else."""

import os
import threading
import time
import uuid

_lock = threading.Lock()
_last_ms = 0
_counter = 0


def uuid7() -> uuid.UUID:
    """Return a UUIDv7 (RFC 9562) that is greater than every one this process made before.

    48 bits of Unix time in milliseconds, 12 bits of a counter within the millisecond, 62 random bits.
    """
    global _last_ms, _counter
    with _lock:
        now_ms = time.time_ns() // 1_000_000
        if now_ms > _last_ms:
            _last_ms, _counter = now_ms, 0
        else:
            _counter += 1
            if _counter > 0xFFF:
                _last_ms, _counter = _last_ms + 1, 0
        millisecond, sequence = _last_ms, _counter
    random_bits = int.from_bytes(os.urandom(8), "big") & ((1 << 62) - 1)
    return uuid.UUID(int=(millisecond << 80) | (0x7 << 76) | (sequence << 64) | (0b10 << 62) | random_bits)
