"""Every way of saying no has a test that produces it, by its enum name or its token."""

import os
import re

from holdfast import ROOT, main, promise

# The row that ends this file's own search: it would count itself.
TESTS = [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(ROOT, "tests")) for name in names
         if name.endswith((".c", ".py")) and name != os.path.basename(__file__) and "/build" not in folder]
# What no test can bring about from outside, and why it is there all the same.
OUT_OF_REACH = {
    "internal": "for what asserts and the kernel rule out: a chain without a verdict, a library without memory",
    "peer_address": "the kernel connects a socket where it is told to; the check is a second lock on the same door",
}
ROW = re.compile(r'^REASON\((\w+),\s*"(\w+)",\s*(\d+),\s*"([^"]*)",\s*"([^"]+)"\)', re.MULTILINE)


def table():
    with open(os.path.join(ROOT, "base/reason.def"), encoding="utf-8") as f:
        return ROW.findall(f.read())


def written():
    return "\n".join(open(path, encoding="utf-8").read() for path in TESTS)


@promise
def every_reason_is_produced_by_a_test():
    text = written()
    silent = [token for name, token, *_ in table()
              if token not in OUT_OF_REACH and not re.search(rf'\bREASON_{name}\b|["|]{token}["|]', text)]
    assert not silent, f"no test produces: {', '.join(silent)}"


@promise
def every_reason_reaches_the_code():
    code = "\n".join(open(os.path.join(folder, name), encoding="utf-8").read()
                     for room in ("base", "conf", "http", "certs", "tokens", "tasks", "filters", "proxy")
                     for folder, _, names in os.walk(os.path.join(ROOT, room)) for name in names if name.endswith(".c"))
    unused = [name for name, *_ in table() if not re.search(rf"\bREASON_{name}\b", code)]
    assert not unused, f"no code says: {', '.join(unused)}"


@promise
def statuses_and_sentences_are_in_order():
    rows = table()
    assert len(rows) > 60
    assert len({name for name, *_ in rows}) == len({token for _, token, *_ in rows}) == len(rows)
    for name, token, status, error, sentence in rows:
        assert token == name.lower() and sentence.endswith("."), token
        assert (int(status) == 0) == (error == ""), token


main()
