#!/usr/bin/python3
"""How fast a task ends, and what ten thousand of them cost.

    HOLDFAST_BINARY=build/release/holdfast /usr/bin/python3 bench/ends.py [--rounds N] [--only CAUSE] [--tasks N] [--grants N]

First table: from the cause to the moment when both its client and its service have seen their connections close, the worst of
N rounds, for each cause and for what was going on: a request that waits for its answer, an upload, a download, an idle
connection. The cause is the question on the control socket, the signal, the deadline; so a reload's has the reading of its
config in it, and a stop's the whole way down. Second: as many live tasks of as many grants, started and ended one after the
other over one control connection, as the asking side sees it, and the memory they take. All sides but Holdfast are Python on
the same machine. Needs root, for a network of its own; nothing leaves it."""

import argparse
import os
import signal
import statistics
import sys
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../tests/integration"))
os.environ.setdefault("HOLDFAST_BINARY", os.path.join(HERE, "../build/release/holdfast"))

from control import Control, ask                                                # noqa: E402
from holdfast import (ADDRESSES, CREDENTIAL, Gone, Holdfast, Origin, PUBLIC, Workspace, WORKLOAD_UID, echo,     # noqa: E402
                      forward_config, leave, own_network)

WISH = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
WISH.add_argument("--rounds", type=int, default=20)
WISH.add_argument("--only", default="", help="causes with this in their name")
WISH.add_argument("--tasks", type=int, default=10_000)
WISH.add_argument("--grants", type=int, default=1_000)
STATES = ("waiting", "upload", "download", "idle")


# ---- the service: notes when its connection went

class Service(Origin):
    def _serve(self, connection):
        super()._serve(connection)
        connection.gone_s = time.monotonic()


def serve(connection, request):
    last = request.target.rpartition("/")[2]
    if last == "waiting":
        connection.read()
    elif last == "upload":
        connection.read_body(request)
    elif last == "download":
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            connection.send(b"400\r\n" + b"x" * 1024 + b"\r\n")
            connection.closed.wait(0.001)
    else:
        echo(connection, request)


# ---- the sidecar

def rule(ws, paths='"any"'):
    return f"""{{ host = "allowed.test"; methods = "any"; paths = {paths}; upstream_trust = "{ws.ca.file}";
      credential = "orders"; bind = ["wimse"]; inject = "always"; }}"""


def grant(rules, name="nightly"):
    return f"""
  {{ name = "{name}"; owner = "tests@example"; approved_by = "security@example"; ticket = "SEC-1";
    approved_at = "2026-11-01"; expires_at = "2099-01-01"; purposes = ["testing"]; task = "required"; ttl = "1h";
    caller = {{ uid = {WORKLOAD_UID}; }}; rules = ( {rules} ); }}"""


def config(grants, limits='drain = "0s";'):
    inside = forward_config("", grants=", ".join(grants), credentials=CREDENTIAL, limits=limits, workers=2)
    return lambda h: inside(h) + f'control = {{ socket = "{h.run}/control.sock"; }};\n'


class Bench:
    def __init__(self):
        self.ws = Workspace()
        self.origin = Service(PUBLIC, 443, self.ws.leaf("allowed.test"), answer=serve)
        self.whole = config([grant(rule(self.ws)), grant(rule(self.ws, '["/other"]'), "other")])
        self.n, self.since = 0, 0
        self.h = self.start()

    def start(self):
        self.n += 1
        return Holdfast(self.ws, self.whole, name=f"ends-{self.n}")

    def ask(self, verb, **members):
        answer = ask(self.h.run + "/control.sock", verb, **members)
        assert answer["ok"], answer
        return answer

    def begin(self, state):
        """(the client's channel, the service's connection): this is going on now."""
        self.origin.forget()
        channel = self.h.tls()
        if state == "idle":
            assert channel.request("GET", "/idle", "allowed.test").status == 200
        elif state == "upload":
            channel.send("POST /upload HTTP/1.1\r\nHost: allowed.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        else:
            channel.send(f"GET /{state} HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
        self.origin.wait(lambda o: o.requests, what="the request")
        if state == "download":
            assert channel.read_head().status == 200
        return channel, self.origin.requests[0].connection


def watch(channel, gone):
    """Past TLS: all that comes, until nothing can."""
    fd = channel.sock.fileno()
    os.set_blocking(fd, True)
    try:
        while os.read(fd, 65536):
            pass
    except OSError:
        pass
    gone.append(time.monotonic())


# ---- causes: each brings it about and says when that was

def asked(verb, **members):
    def cause(b, task):
        at = time.monotonic()
        b.ask(verb, **({"id": task["id"]} if verb == "task_end" else members))
        return at
    return cause


def deadline(_, task):
    return task["told_at"] + task["left_ms"] / 1000


def reload_to(rules):
    def cause(b, _):
        b.h.write_config(config([*([grant(rule(b.ws, rules))] if rules else []), grant(rule(b.ws, '["/other"]'), "other")]))
        b.since = b.h.index()
        at = time.monotonic()
        b.h.kill(signal.SIGHUP)
        return at
    return cause


def signalled(number):
    def cause(b, _):
        at = time.monotonic()
        b.h.kill(number)
        return at
    return cause


# name, what the task is begun with, how it ends, what must be done before the next round
CAUSES = [("finished", {}, asked("task_end"), None), ("its deadline", {"ttl": "700ms"}, deadline, None),
          ("revoked, its grant's", {}, asked("task_revoke", grant="nightly"), None),
          ("revoked, all", {}, asked("task_revoke", all=True), None),
          ("its budget", {"max_requests": 1}, None, None),
          ("reload: removed", {}, reload_to(None), "reload"), ("reload: narrowed", {}, reload_to('["/elsewhere"]'), "reload"),
          ("TERM, drain 0", {}, signalled(signal.SIGTERM), "start"), ("INT", {}, signalled(signal.SIGINT), "start")]


def one_round(b, state, terms, cause):
    """Milliseconds from the cause until both have seen it."""
    task = b.ask("task_start", grant="nightly", purpose="testing", **terms)
    task["told_at"] = time.monotonic()
    if cause is None:       # with the end of its only request, as far as we can see that
        channel, connection = b.begin("idle")
        at = time.monotonic()
    else:
        channel, connection = b.begin(state)
    gone = []
    watcher = threading.Thread(target=watch, args=(channel, gone))
    watcher.start()
    ready_s = time.monotonic()
    if cause is not None:
        at = cause(b, task)
    watcher.join(60)
    assert gone and connection.closed.wait(60), "it never ended"
    while not hasattr(connection, "gone_s"):
        time.sleep(0.0001)
    channel.close()
    if cause is deadline and ready_s > at - 0.05:   # we were not looking yet
        return one_round(b, state, terms, cause)
    return 1000 * max(gone[0] - at, connection.gone_s - at, 0)


def make_ready(b, what):
    if what == "start":
        assert b.h.wait_exit() == 0
        b.h = b.start()
    elif what == "reload":
        b.h.wait_for("config reloaded", since=b.since)
        assert b.h.reload(b.whole)["msg"] == "config reloaded"


def ends(b, rounds, only):
    print(f"worst (median) of {rounds}, ms | " + " | ".join(STATES) + " |")
    for name, terms, cause, after in (c for c in CAUSES if only in c[0]):
        cells = []
        for state in STATES:
            if cause is None and state != "idle":
                cells.append("–")       # what runs is not cut by a budget
                continue
            took = []
            for _ in range(rounds):
                took.append(one_round(b, state, terms, cause))
                make_ready(b, after)
            cells.append(f"{max(took):.1f} ({statistics.median(took):.1f})")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    b.h.stop()


# ---- many

def private_kib(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return sum(int(line.split()[1]) for line in f if line.startswith("Private_"))


def timed(control, verb, **members):
    begin = time.monotonic()
    answer = control.ask(verb, **members)
    took = 1000 * (time.monotonic() - begin)
    assert answer["ok"], answer
    return took, answer


def told(what, times):
    times = sorted(times)
    print(f"{what}: median {statistics.median(times):.3f} ms, p99 {times[int(len(times) * 0.99)]:.3f}, worst {times[-1]:.3f} "
          f"(n = {len(times)})", flush=True)


def many(ws, n_tasks, n_grants):
    grants = [grant(rule(ws).replace("allowed.test", f"h{i}.test"), f"g{i}") for i in range(n_grants)]
    h = Holdfast(ws, config(grants, limits=f"tasks = {n_tasks + 100};"), name="many")
    begun, starts, ended = [], [], []

    def start(i):
        took, answer = timed(control, "task_start", grant=f"g{i % n_grants}", purpose="testing")
        starts.append(took)
        begun.append(answer["id"])
    with Control(h.run + "/control.sock") as control:
        before = private_kib(h.pid)
        for i in range(n_tasks):
            start(i)
        told(f"start, up to {n_tasks} live of {n_grants} grants", starts)
        held = private_kib(h.pid) - before
        print(f"memory: {held / n_tasks:.2f} KiB a task ({held} KiB, private)", flush=True)
        starts.clear()
        for i in range(n_tasks // 5):
            took, _ = timed(control, "task_end", id=begun[i])
            ended.append(took)
            start(i)
        told(f"start, with {n_tasks} live", starts)
        told(f"end, with {n_tasks} live", ended)
        took, answer = timed(control, "task_revoke", all=True)
        print(f"revoke all: {answer['ended']} in {took:.0f} ms", flush=True)
    h.stop()


def main():
    wish = WISH.parse_args()
    own_network(ADDRESSES)
    b = Bench()
    if wish.rounds > 0:
        ends(b, wish.rounds, wish.only)
    if wish.tasks > 0:
        many(b.ws, wish.tasks, wish.grants)


try:
    main()
    leave(0)
except Exception:
    traceback.print_exc()
    leave(1)
