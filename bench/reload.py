#!/usr/bin/python3
"""How long a reload of a large config takes until every worker has taken it over, and how slow the slowest request is meanwhile.

    HOLDFAST_BINARY=build/release/holdfast /usr/bin/python3 bench/reload.py [--reloads N] [--rules N] [--workers N] [--shape S]

A sidecar with 100,000 rules (shape `one`: in one grant; `many`: in 1,000 grants, with 200 credentials of source `file`), one
client that asks back to back over a kept connection, and `reload --wait` again and again. The client is a process of its own,
nobody's garbage collector runs, and between two reloads it is watched for as long while nothing happens: what is slow there
is the machine. A request counts for a reload when it overlaps the time from its asking to SETTLE_S after it was told,
so the end of the old generation is in it. Needs root, for a network of its own; nothing leaves it."""

import argparse
import gc
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../tests/integration"))
os.environ.setdefault("HOLDFAST_BINARY", os.path.join(HERE, "../build/release/holdfast"))

from client import Channel, connect                                             # noqa: E402
from control import Control                                                     # noqa: E402
from holdfast import (ADDRESSES, PROXY_UID, PUBLIC, Holdfast, Origin, Workspace, forward_config, grant, leave,   # noqa: E402
                      own_network)

SETTLE_S = 0.5
CREDENTIALS, GRANTS = 200, 1000
WISH = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
WISH.add_argument("--reloads", type=int, default=12)
WISH.add_argument("--rules", type=int, default=100_000)
WISH.add_argument("--workers", type=int, default=1)
WISH.add_argument("--shape", choices=["one", "many", "both"], default="both")
WISH.add_argument("--ask", nargs=3, help=argparse.SUPPRESS)    # we are the client: ADDRESS PORT CA


def ask(address, port, ca):
    """The client: asks until its input ends, then tells when each request began and ended."""
    import ssl
    channel = Channel(connect(address, int(port)))
    channel.send("CONNECT allowed.test:443 HTTP/1.1\r\nHost: allowed.test:443\r\n\r\n")
    assert channel.read_answer("CONNECT").status == 200
    channel.start_tls(ssl.create_default_context(cafile=ca), "allowed.test")
    os.set_blocking(0, False)
    gc.disable()
    times = []
    print("asking", flush=True)
    while sys.stdin.buffer.raw.read(1) != b"":
        begin = time.monotonic()
        channel.send("GET / HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
        assert channel.read_answer().status == 200
        times.append((begin, time.monotonic()))
    json.dump(times, sys.stdout)


class Large:
    """A config of n rules, in one grant or in many."""

    def __init__(self, ws, shape, n, workers):
        self.ws, self.n, self.workers = ws, n, workers
        self.trust = f'upstream_trust = "{ws.ca.file}";'
        self.grants, self.credentials = self.one() if shape == "one" else self.many()

    def rule(self, i, more=""):
        host = "allowed.test" if i == 0 else f"h{i}.test"
        return f'''{{ host = "{host}"; methods = "any"; paths = ["/", "/v1/items/{i % 7}/**"]; {self.trust} {more} }}'''

    def one(self):
        return grant(", ".join(self.rule(i) for i in range(self.n))), ""

    def many(self):
        folder, per, grants, made = self.ws.directory("secrets", owner=0), self.n // GRANTS, [], []
        for g in range(GRANTS):
            bearer = f'credential = "c{g % CREDENTIALS}"; bind = ["bearer"]; unbound_because = "it takes nothing else";'
            rules = [self.rule(i, bearer if i % per == 1 else "") for i in range(g * per, (g + 1) * per)]
            grants.append(grant(", ".join(rules), name=f"g{g}"))
        for i in range(CREDENTIALS):
            path = self.ws.file(f"{os.path.basename(folder)}/{i}", f"a secret of our own, {i}", 0o440, owner=PROXY_UID)
            made.append(f'''c{i} = {{ owner = "a@example"; approved_by = "b@example"; ticket = "SEC-1"; rotate_every = "30d";
  privileges = "read"; source = {{ kind = "file"; path = "{path}"; }}; handle = {{ shape = "hf_{{36}}"; env = "C{i}_TOKEN"; }}; }};''')
        return ",".join(grants), "credentials = {\n" + "\n".join(made) + "\n};"

    def __call__(self, h):
        more = f'control = {{ socket = "{h.run}/control.sock"; }};'
        return forward_config("", grants=self.grants, credentials=self.credentials, workers=self.workers, more=more)(h)


def slowest(times, begin, end):
    """In milliseconds, and how many there were."""
    met = [(e - b) * 1000 for b, e in times if e >= begin and b <= end]
    return max(met), len(met)


def measure(ws, shape, wish):
    h = Holdfast(ws, Large(ws, shape, wish.rules, wish.workers), name=shape)
    address, port = h.door()
    client = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--ask", address, str(port), h.ca],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert client.stdout.readline() == b"asking\n"
    gc.disable()
    spans = []
    for _ in range(wish.reloads):
        with Control(h.run + "/control.sock") as control:
            begin = time.monotonic()
            told = control.ask("reload", wait=True)
            end = time.monotonic()
        assert told["ok"], told
        time.sleep(SETTLE_S)
        quiet = time.monotonic()
        time.sleep(end - begin + SETTLE_S)
        spans.append((begin, end, quiet, time.monotonic()))
    times = json.loads(client.communicate()[0])
    h.stop()
    print(f"shape {shape}, {wish.rules} rules, {wish.workers} workers, {len(times)} requests")
    print(f"{'over s':>8} {'slowest ms':>11} {'of':>6}   {'quiet: slowest ms':>17} {'of':>6}")
    for begin, end, quiet, last in spans:
        print("%8.2f %11.1f %6d   %17.1f %6d" % (end - begin, *slowest(times, begin, end + SETTLE_S),
                                               *slowest(times, quiet, last)), flush=True)


def main():
    wish = WISH.parse_args()
    if wish.ask:
        ask(*wish.ask)
        return
    own_network(ADDRESSES)
    sys.setswitchinterval(0.0005)
    ws = Workspace()
    Origin(PUBLIC, 443, ws.leaf("allowed.test"), answer=lambda c, request: c.reply(200, b"served"))
    for shape in ["one", "many"] if wish.shape == "both" else [wish.shape]:
        measure(ws, shape, wish)
    leave(0)


main()
