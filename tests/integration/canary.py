"""Canaries, over the whole suite: nothing that a Holdfast of a test was told in secret, and nothing that proved its requests, may stand in
what it wrote: log, ledger, published files. What is a secret is found as an attacker would: what files the config names that others
may not read, the keys it made for itself, and the credentials that services were shown."""

import os
import re
import stat

_LEAST = 16             # bytes; shorter ones are some test's words
_MOST = 1 << 26         # bytes of one file that are looked at
_FIELDS = {"authorization", "proxy-authorization", "dpop", "workload-identity-token", "workload-proof-token", "signature", "x-api-key"}

_told = set()           # what tests and services know that no config names


def tell(secret):
    """A value that must not be written down by anyone."""
    if len(secret) >= _LEAST:
        _told.add(secret.encode() if isinstance(secret, str) else secret)


def tell_fields(fields):
    """What a service was shown, without the scheme before it."""
    for name, value in fields:
        if name.lower() in _FIELDS:
            tell(value.split(" ", 1)[-1])


def parts(data):
    """What to look for of a file: all of it, or each line of a private key."""
    if b"PRIVATE KEY" in data:
        return [line for line in data.splitlines() if len(line) >= 40 and not line.startswith(b"-")]
    return [data.strip()]


def _read(path):
    try:
        about = os.lstat(path)
        if stat.S_ISREG(about.st_mode) and about.st_size <= _MOST:
            with open(path, "rb") as f:
                return about.st_mode, f.read()
    except OSError:
        pass
    return 0o777, b""


def _of_config(text):
    found = set()
    text = re.sub(r"\blog\s*=\s*\{[^}]*\}", "", text)  # a file of ours alone, and no secret
    for path in set(re.findall(r'"(/[^"\n]+)"', text)):
        mode, data = _read(os.path.realpath(path))
        if not mode & 0o004:
            found.update(part for part in parts(data) if len(part) >= _LEAST)
    return found


def _below(*folders):
    for folder in folders:
        for at, _, names in os.walk(folder):
            for name in names:
                yield os.path.join(at, name)


def secrets_of(h):
    """What this Holdfast's configs named, and what it made for itself."""
    found = set()
    for text in h.configs:
        found |= _of_config(text)
    for path in _below(h.run):
        if path.endswith(".key"):
            found.update(parts(_read(path)[1]))
    return found


def assert_kept(h):
    written = [("the log", "\n".join(h.text).encode())]
    written += [(path, _read(path)[1]) for path in _below(h.run + "/ledger", h.publish)]
    ours = secrets_of(h)
    for where, data in written:
        words = set(re.findall(rb"[\w.~+/=:-]+", data))
        for secret in (_told & words) | {s for s in ours if s in data}:
            raise AssertionError(f"a secret of {len(secret)} bytes stands in {where}: {secret[:6]}…")
