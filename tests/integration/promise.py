"""Runs the promises of one test file: each @promise is a test whose name says what holds.

Every file runs in a network of its own that has a loopback and nothing else, so it may give that loopback
any address it likes (public ones, the metadata service's) and nothing can leave. That needs root; without it
the whole file is skipped, by name.
"""

import ctypes
import fnmatch
import os
import subprocess
import sys
import time
import traceback

SIZE = os.environ.get("HOLDFAST_TEST_SIZE", "full")     # quick, full, soak
SKIPPED = 77

_promises = []
_at_end = []
_CLONE_NEWNET = 0x40000000


class Skip(Exception):
    """This promise cannot be tried here; the text says why."""


def at_end(action):
    """What must be put away however the file ends: processes, directories; the last made first."""
    _at_end.append(action)


def leave(code):
    """Ends now, whatever threads are stuck."""
    for action in reversed(_at_end):
        action()
    sys.stdout.flush()
    os._exit(code)


def promise(function):
    _promises.append(function)
    return function


def rows(table):
    """One promise per row of data: the row's id is put behind the name."""
    def each(function):
        for row in table:
            def tried(row=row):
                function(row)
            name = row["id"] if isinstance(row, dict) else str(row[0])
            tried.__name__ = f"{function.__name__}[{name}]"
            _promises.append(tried)
        return function
    return each


def by_size(quick, full, soak=None):
    return {"quick": quick, "full": full, "soak": soak if soak is not None else full}[SIZE]


def own_network(addresses=()):
    """Moves this process into a new network whose loopback also has these addresses."""
    if os.geteuid() != 0:
        skip_file("needs root: it makes a network of its own and runs clients under several uids")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWNET) != 0:
        skip_file("a network namespace cannot be made: " + os.strerror(ctypes.get_errno()))
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in addresses:
        bits, more = ("/128", ["nodad"]) if ":" in address else ("/32", [])
        subprocess.run(["ip", "addr", "add", address + bits, "dev", "lo", *more], check=True)


def skip_file(why):
    print(f"SKIPPED: {os.path.basename(sys.argv[0])}: {why}")
    sys.exit(SKIPPED)


def main(close=None):
    """Tries every promise (or those matching the patterns given as arguments), then `close`, which looks at what all of
    them left behind."""
    wanted = sys.argv[1:] or ["*"]
    chosen = [p for p in _promises if any(fnmatch.fnmatch(p.__name__, w) for w in wanted)]
    counts = {"PASS": 0, "FAIL": 0, "SKIPPED": 0}

    for p in chosen + ([close] if close else []):
        begun = time.monotonic()
        outcome, detail = _try(p)
        counts[outcome] += 1
        print(f"{outcome}: {p.__name__}{detail} ({time.monotonic() - begun:.2f} s)", flush=True)
    print(f"{counts['PASS']} passed, {counts['FAIL']} failed, {counts['SKIPPED']} skipped")
    if counts["FAIL"] or not chosen:
        leave(1)
    leave(SKIPPED if counts["PASS"] == 0 else 0)


def _try(p):
    try:
        p()
        return "PASS", ""
    except Skip as why:
        return "SKIPPED", f": {why}"
    except Exception:
        traceback.print_exc()
        return "FAIL", ""
