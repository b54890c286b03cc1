"""Waiting for what only the kernel, the file system or another thread tells."""

import threading
import time


def until(true, what="it", seconds=300):
    """What it was, as soon as it is true; looks as often as the machine lets us, with an end."""
    end = time.monotonic() + seconds
    while True:
        found = true()
        if found:
            return found
        assert time.monotonic() < end, f"{what} never came"
        threading.Event().wait(0.01)
