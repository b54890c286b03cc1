"""The ledger beside the traffic, three witnesses joined: nothing reaches the service that is not in it, no refusal is missing,
and whatever happens to the disk, the queue or the process, there is no gap that is not told."""

import contextlib
import ctypes
import json
import os
import random
import signal
import threading

import ledger
from control import holdfast
from holdfast import (ADDRESSES, OTHER_UID, PROXY_UID, PUBLIC, PUBLIC2, Closed, Holdfast, Origin, Sidecar, Skip, WORKLOAD_UID,
                      at_end, by_size, echo, forward_config, hosts, main, own_network, promise, rows, run_as)
from one_thread import Stopped
from ops import DOOR, Page

own_network(ADDRESSES)
RULES = '{{ host = "allowed.test"; methods = ["GET", "POST", "PUT"]; paths = ["/ok/**"]; {trust} {more} }}'
BOUND = 'credential = "orders"; bind = ["wimse"]; inject = "always";'
SECRET = "Bearer-nobody-may-keep-this"
numbers = iter(range(1000))


class Scene(Sidecar):
    """One service; a Holdfast of its own for each promise."""

    def __init__(self):
        super().__init__(answer=echo)
        self.h.stop()

    def written(self, more="", ledger_more="", **changed):
        text = forward_config(RULES.format(trust=self.trust, more=more), **changed)
        return lambda h: text(h).replace('/ledger"; };', f'/ledger"; {ledger_more} }};')

    def start(self, name=None, wait=True, **changed):
        self.origin.answer = echo
        self.origin.forget()
        return Holdfast(self.ws, self.written(**changed), name=name or f"h{next(numbers)}", wait=wait)

    def end(self):
        assert not self.denied.connections, "a service that no rule names was connected to"
        self.ws.remove()


s = Scene()
DECISION = 'durable = "decision";'


# ---- the ledger as a witness

def place(h):
    return os.path.join(h.run, "ledger")


def audit(h, *more):
    """`audit verify` has nothing to say against it, and neither has who reads it by other code."""
    done = holdfast("audit", "verify", "--ledger", place(h), "--json", *more)
    assert done.returncode == 0, done.stdout + done.stderr
    with open(os.path.join(place(h), "key.jwk"), encoding="ascii") as f:
        found = ledger.verify(place(h), json.load(f))
    told = json.loads(done.stdout)
    assert told["records"] == len(found), (told, len(found))
    return [json.loads(line) for _, line in found]


def decisions(records, verdict):
    return [r for r in records if r["kind"] == "decision" and r["verdict"] == verdict]


def raw(h):
    data = b""
    for name in sorted(os.listdir(place(h))):
        if name.startswith("ledger-"):
            with open(os.path.join(place(h), name), "rb") as f:
                data += f.read()
    return data


def joined(h, records, seen, lost=0):
    """Ledger and log and service tell one story: (the allowed, the refused)."""
    log = {li["x"]: li for li in h.requests()}
    allowed, refused = decisions(records, "allow"), decisions(records, "refuse")
    for r in allowed + refused:
        line = log[r["x"]]
        for member in ("who", "to", "method", "path", "rule", "grant", "binding"):
            if member in line or r["verdict"] == "allow" and line["door"] == "forward":
                assert r.get(member) == line.get(member), (member, r, line)
    sent = [x for x, li in log.items() if "up" in li and li["status"] != 503]
    assert len(seen) == len({r["x"] for r in allowed} & set(sent)), (len(seen), len(allowed), len(sent))
    for q in seen:
        path = q.target.partition("?")[0]
        assert sum(r["path"] == path and r["method"] == q.method for r in allowed) == \
            sum(o.target.partition("?")[0] == path and o.method == q.method for o in seen), path
    no = [li for li in log.values() if li["reason"] != "ok"]
    assert len(refused) + lost == len(no), (len(refused), lost, len(no))
    for r in refused:
        assert (r["reason"], r["step"]) == (log[r["x"]]["reason"], log[r["x"]]["step"]), r
    assert len({r["x"] for r in refused}) == len(refused), "one refusal twice"
    return allowed, refused


def ask(h, path, method="GET", fields=(), body=None, target="allowed.test:443", uid=WORKLOAD_UID):
    """(status, reason)"""
    answer = h.get(path, target, uid, method, fields, body)
    return answer.status, answer.reason


# ---- what is recorded

@promise
def every_request_that_left_was_allowed_and_every_refusal_is_recorded():
    h = s.start(more=BOUND)
    for i in range(by_size(5, 20)):
        assert ask(h, f"/ok/{i}?key={SECRET}", fields=[("Authorization", SECRET), ("Cookie", f"a={SECRET}")]) == (200, None)
        assert ask(h, f"/ok/{i}/body", "POST", body=b"x" * i) == (200, None)
    no = [(ask(h, "/no/path"), (403, "path_not_allowed")),
          (ask(h, "/ok/1", "DELETE"), (403, "method_not_allowed")),
          (ask(h, "/ok/1", target="denied.test:443"), (403, "host_not_allowed")),
          (ask(h, "/ok/1", uid=OTHER_UID), (403, "caller_not_allowed"))]
    for got, expected in no:
        assert got == expected, (got, expected)
    channel, answer = h.connect("metadata.google.internal:0")
    channel.close()
    assert answer.status == 400, answer.line
    with h.tls() as channel:
        channel.send("GET /ok/1 HTTP/1.1\r\nHost: allowed.test\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert channel.read_answer().status == 400
    h.stop()
    records = audit(h)
    allowed, refused = joined(h, records, s.origin.requests)
    assert len(allowed) == len(s.origin.requests) and len(refused) >= 5
    proofs = {q.get("workload-proof-token") for q in s.origin.requests}
    assert len(proofs) == len({r["proof"] for r in allowed}) == len(allowed)
    log = {li["x"]: li for li in h.requests()}
    for r in allowed:
        assert (r["proof"], r["key"]) == (log[r["x"]]["proof"], log[r["x"]]["key"])
        assert (r["owner"], r["approved_by"], r["purpose"], r["credential"]) == \
            ("tests@example", "security@example", "testing", "orders"), r
        assert r["task"] == log[r["x"]]["task"]
    near = next(r for r in refused if r["reason"] == "path_not_allowed")
    assert near["grant"] == "tests" and near["rule"] == allowed[0]["rule"] and "credential" not in near
    with_secrets = next(r for r in allowed if r["path"] == "/ok/0")
    assert with_secrets["stripped"] == ["authorization", "cookie", "?key"], with_secrets
    assert SECRET.encode() not in raw(h), "a secret, or a query, was kept"


@promise
def a_generation_is_recorded_before_it_serves():
    h = s.start()
    assert ask(h, "/ok/1") == (200, None)
    assert h.reload(s.written(more=BOUND))["generation"] == 2
    assert ask(h, "/ok/2") == (200, None)
    h.stop()
    records = audit(h)
    kinds = [r["kind"] for r in records if r["kind"] not in ("checkpoint", "end")]
    assert kinds == ["segment", "start", "grant", "credential", "generation", "task_start", "decision",
                     "grant", "credential", "generation", "task_start", "task_end", "decision", "task_end", "stop"], kinds
    assert [r["generation"] for r in records if r["kind"] == "grant"] == [1, 2]
    digests = [r["digest"] for r in records if r["kind"] == "grant"]
    assert digests[0] != digests[1], "other rules, the same digest"
    assert records[-3]["why"] == "drained"
    started = [r for r in records if r["kind"] == "task_start"]
    ended = [r for r in records if r["kind"] == "task_end"]
    allowed = decisions(records, "allow")
    assert [r["task"] for r in started] == [r["task"] for r in allowed] == [r["task"] for r in ended], (started, ended)
    assert (started[1]["key"], started[1]["mode"]) == (allowed[1]["key"], "standing")
    assert [(r["cause"], r["allowed"], r["refused"], r["revocation"]) for r in ended] == \
        [("withdrawn", 1, 0, "none"), ("stopped", 1, 0, "none")], ended


@promise
def what_waits_for_the_disk_is_there_when_the_service_hears_of_it():
    h = s.start(ledger_more=DECISION, limits='ledger_wait = "10m";')
    on_disk = []

    def answer(connection, request):
        on_disk.append(f'"path":"{request.target}"'.encode() in raw(h))
        return echo(connection, request)
    s.origin.answer = answer
    for i in range(by_size(10, 50)):
        assert ask(h, f"/ok/{i}", "POST", body=b"x") == (200, None)
    assert len(on_disk) == by_size(10, 50) and all(on_disk)
    h.stop()
    joined(h, audit(h), s.origin.requests)


@promise
def a_retry_is_a_decision_of_its_own_with_a_proof_of_its_own():
    h = s.start(more=BOUND, workers=1)
    with h.tls() as channel:
        assert channel.request("GET", "/ok/first", "allowed.test").status == 200
        first = s.origin.connections[-1]

        def close_on_the_next(connection, request):
            if connection is first:
                return True                     # nothing is answered
            return echo(connection, request)
        s.origin.answer = close_on_the_next
        assert channel.request("GET", "/ok/again", "allowed.test").status == 200
    h.stop()
    again = [r for r in decisions(audit(h), "allow") if r["path"] == "/ok/again"]
    seen = [q for q in s.origin.requests if q.target == "/ok/again"]
    assert len(again) == len(seen) == 2 and again[0]["x"] == again[1]["x"] and again[0]["proof"] != again[1]["proof"]


@promise
def a_copied_handle_is_an_alarm():
    token = s.ws.file("github", "REAL-token-nobody-sees", 0o440, owner=PROXY_UID)
    credentials = f"""credentials = {{
  github = {{ owner = "platform@example"; approved_by = "iam@example"; ticket = "SEC-102"; rotate_every = "30d"; privileges = "read";
             source = {{ kind = "file"; path = "{token}"; }}; }}; }};"""
    rule = 'credential = "github"; bind = ["bearer"]; unbound_because = "it takes nothing else";'
    h = s.start(more=rule, credentials=credentials)
    with open(os.path.join(h.publish, "handles.env"), encoding="ascii") as f:
        handle = f.read().strip().partition("=")[2]
    fields = [("Authorization", f"Bearer {handle}")]
    assert ask(h, "/ok/mine", fields=fields) == (200, None)
    assert ask(h, "/ok/copied", fields=fields, uid=OTHER_UID) == (403, "foreign_handle")
    h.stop()
    records = audit(h)
    allowed, _ = joined(h, records, s.origin.requests)
    assert [(r["credential"], r["binding"], r["unbound_because"]) for r in allowed] == [("github", "bearer", "it takes nothing else")]
    (alarm,) = [r for r in records if r["kind"] == "alarm"]
    assert (alarm["alarm"], alarm["credential"], alarm["who"], alarm["to"]) == \
        ("foreign_handle", "github", f"uid:{OTHER_UID}", "allowed.test:443"), alarm
    assert handle.encode() not in raw(h) and b"REAL-token" not in raw(h)


@promise
def a_gate_records_who_proved_what():
    service = Origin("127.0.0.1", 0)
    leaf = s.ws.leaf("orders.test")
    os.chown(leaf.key, PROXY_UID, PROXY_UID)
    rule = f'{{ host = "orders.test"; methods = "any"; paths = "any"; {BOUND} {s.trust} }}'
    h = Holdfast(s.ws, forward_config(rule, names=hosts(orders_test=PUBLIC2)), name=f"h{next(numbers)}")
    gate = Holdfast(s.ws, lambda g: f"""
user = "{PROXY_UID}"; workers = 2; ledger = {{ keep = "{g.run}/ledger"; }};
doors = ( {{ kind = "gate"; listen = "{PUBLIC2}:8444"; certificate = "{leaf.certificate}"; key = "{leaf.key}";
    names = ["https://orders.test:8444"]; upstream = "http://127.0.0.1:{service.port}";
    trust = ( {{ domain = "prod.example"; jwks_file = "{h.jwks}"; subjects = ["spiffe://prod.example/ns/agents/*"]; }} );
    rules = ( {{ methods = ["GET"]; paths = "any"; subjects = "any"; grants = "any"; purposes = "any"; }} ); }} );
""", name=f"h{next(numbers)}")
    h.reload(forward_config(rule.replace('"orders.test"', '"orders.test"; port = 8444', 1), names=hosts(orders_test=PUBLIC2)))
    assert ask(h, "/v1/7?q=1", target="orders.test:8444")[0] == 200
    status, _ = ask(h, "/v1/8", "POST", target="orders.test:8444", body=b"x")
    assert status == 403
    gate.stop()
    h.stop()
    ours, theirs = decisions(audit(h), "allow"), audit(gate)
    (passed,), (refused,) = decisions(theirs, "allow"), decisions(theirs, "refuse")
    assert (passed["proof"], passed["key"]) == (ours[0]["proof"], ours[0]["key"]), (passed, ours)
    assert (refused["proof"], refused["key"]) == (ours[1]["proof"], ours[1]["key"]), (refused, ours)
    assert [passed[m] for m in ("who", "grant", "owner", "purpose", "task", "path")] == \
        ["spiffe://prod.example/ns/agents/sa/builder", "tests", "tests@example", "testing", ours[0]["task"], "/v1/7"], passed
    joined(gate, theirs, service.requests)


@promise
def without_a_ledger_the_log_says_why():
    h = s.start()
    h.stop()
    text = s.written()
    h = Holdfast(s.ws, lambda g: text(g).replace(f'keep = "{g.run}/ledger"', 'off_because = "a test of nothing"'),
                 name=f"h{next(numbers)}")
    assert h.wait_for("no ledger")["because"] == "a test of nothing"
    assert ask(h, "/ok/1") == (200, None)
    h.stop()
    assert not os.path.exists(place(h))


@promise
def the_log_keeps_a_checkpoint_that_finds_a_cut_tail():
    h = s.start()
    assert ask(h, "/ok/1") == (200, None)
    h.stop()
    kept = [li for li in h.lines if li.get("msg") == "checkpoint"][-1]
    anchor = s.ws.file(f"anchor-{h.pid}", kept["record"] + "\n")
    records = audit(h, "--checkpoint", anchor)
    assert records[kept["seq"] - 1] == json.loads(kept["record"]) and ledger.digest(kept["record"].encode()) == kept["hash"]
    path = os.path.join(place(h), ledger.name_of(1))
    with open(path, "rb") as f:
        lines = f.read().splitlines(keepends=True)
    with open(path, "wb") as f:
        f.writelines(lines[:-3])
    os.remove(os.path.join(place(h), "checkpoint"))        # as whoever cuts it would
    assert holdfast("audit", "verify", "--ledger", place(h)).returncode == 0, "a cut tail is found without the anchor, too"
    assert holdfast("audit", "verify", "--ledger", place(h), "--checkpoint", anchor).returncode == 1


# ---- what happens when it cannot be kept

def until_refused(h, limit=5000):
    """Asks until Holdfast refuses for its ledger; (how many were answered before, the reason)."""
    for i in range(limit):
        status, reason = ask(h, f"/ok/{i}")
        if status != 200:
            assert status == 503, (status, reason)
            return i, reason
    raise AssertionError("nothing was refused")


def until_synced(h):
    """All that was entered is on the disk, under a checkpoint."""
    while True:
        samples = Page(h).samples
        if samples["holdfast_ledger_last_checkpoint", ()] == samples["holdfast_ledger_last_record", ()]:
            return


def stays_shut(h, n=3):
    seen = len(s.origin.requests)
    for i in range(n):
        assert ask(h, f"/ok/shut/{i}")[0] == 503
    assert len(s.origin.requests) == seen, "it left all the same"
    return n


def until_served(h):
    """Refused until the ledger is written again; how often."""
    refused = 0
    h.wait_line(lambda li: "is written again" in li.get("msg", ""), what="the ledger written again")
    while ask(h, "/ok/again")[0] != 200:
        refused += 1
    return refused


def lost_in(records):
    return sum(r["records"] for r in records if r["kind"] == "lost")


def none_is_missing(h, lost):
    """So many were lost while there was no room; of those refused until there is again, each is counted or recorded."""
    while ask(h, "/ok/again")[0] != 200:
        pass
    h.stop()
    records = audit(h)
    assert lost_in(records) >= lost, (lost_in(records), lost)
    joined(h, records, s.origin.requests, lost=lost_in(records))


def file_limit(h):
    """No file may grow past where this ledger's is now."""
    size = max(os.path.getsize(os.path.join(place(h), n)) for n in os.listdir(place(h)))
    limit(h, f"{size}:unlimited")
    return lambda: limit(h, "unlimited:unlimited")


def limit(h, size):
    done = run_as(PROXY_UID, ["prlimit", "--pid", str(h.pid), f"--fsize={size}"])
    assert done.returncode == 0, done.stderr


def shut_directory(h):
    """No checkpoint can be put beside the segment, and no segment behind it."""
    os.chmod(place(h), 0o500)
    return lambda: os.chmod(place(h), 0o700)


def full_disk(h):
    """A small file system of its own, filled by somebody else."""
    fill = os.path.join(place(h), "somebody-elses")
    with contextlib.suppress(OSError), open(fill, "wb", buffering=0) as f:
        while True:
            f.write(b"x" * 512)
    return lambda: os.remove(fill)


def small_disk(name):
    """A ledger's directory on a file system of 256 KiB."""
    path = os.path.join(s.ws.directory(name), "ledger")
    os.makedirs(path, exist_ok=True)
    if ctypes.CDLL(None, use_errno=True).mount(b"none", path.encode(), b"tmpfs", 0, b"size=256k") != 0:
        raise Skip("nothing can be mounted here: " + os.strerror(ctypes.get_errno()))
    at_end(lambda: ctypes.CDLL(None).umount2(path.encode(), 2))
    os.chmod(path, 0o700)
    os.chown(path, PROXY_UID, PROXY_UID)


@rows([("file-limit", file_limit, None), ("directory", shut_directory, None), ("disk-full", full_disk, small_disk)])
def a_ledger_that_cannot_be_written_lets_nothing_out_and_loses_nothing(row):
    _, spoil, before = row
    name = f"h{next(numbers)}"
    if before:
        before(name)
    h = s.start(name, doors=DOOR, more=BOUND)
    assert ask(h, "/ok/first") == (200, None)
    mend = spoil(h)
    _, reason = until_refused(h)
    assert reason == "ledger_failed", reason
    refused = 1 + stays_shut(h)
    assert Page(h).samples["holdfast_ledger_failed", ()] == 1
    line = h.reload(s.written(doors=DOOR))
    assert (line["msg"], line["reason"], line["generation"]) == ("config rejected", "ledger_failed", 1), line
    mend()
    refused += until_served(h)
    page = Page(h)
    assert page.samples["holdfast_ledger_failed", ()] == 0
    assert page.samples["holdfast_ledger_records_lost_total", ()] == refused, (page.text, refused)
    h.stop()
    records = audit(h)
    assert lost_in(records) == refused, "refusals that nobody tells of"
    joined(h, records, s.origin.requests, lost=refused)


@promise
def a_disk_that_says_nothing_refuses_what_waits_for_it():
    h = s.start(ledger_more=DECISION, limits='ledger_wait = "10m";')
    assert ask(h, "/ok/first") == (200, None)
    h.reload(s.written(ledger_more=DECISION, limits='ledger_wait = "300ms";'))
    with Stopped(h.pid, "ledger"):
        seen = len(s.origin.requests)
        for i in range(3):
            assert ask(h, f"/ok/{i}") == (503, "ledger_failed")
        assert len(s.origin.requests) == seen, "it left all the same"
    assert ask(h, "/ok/again")[0] in (200, 503)     # what was queued may still be on its way
    h.stop()
    records = audit(h)
    assert len(decisions(records, "allow")) >= 5 and len(decisions(records, "refuse")) >= 3


@promise
def a_full_queue_refuses_and_the_refusals_are_counted():
    queue = 16
    h = s.start(limits=f"ledger_queue = {queue};", doors=DOOR)
    assert ask(h, "/ok/first") == (200, None)
    h.wait_line(lambda li: li.get("msg") == "checkpoint", what="the first checkpoint")
    with Stopped(h.pid, "ledger"):
        taken, reason = until_refused(h)
        assert reason == "ledger_full" and taken <= queue, (taken, reason)
        refused = 1 + stays_shut(h)
        page = Page(h)
        assert page.samples["holdfast_ledger_queued", ()] <= queue
    none_is_missing(h, refused)


@promise
def while_the_disk_hangs_requests_are_served_until_too_much_waits_for_it():
    """One that never ends its fdatasync, as the ledger sees it: who waits for it stands still."""
    queue, bound, served = 16, 64 * 1024, 0
    h = s.start(limits=f'ledger_queue = {queue}; ledger_queue_bytes = "64k";', doors=DOOR, more=BOUND)
    assert ask(h, "/ok/first") == (200, None)
    until_synced(h)
    with Stopped(h.pid, "ledger-sync"):
        before = len(raw(h))
        while len(raw(h)) - before < bound:     # a slow writer may find its short queue full even now
            served += ask(h, f"/ok/{served}")[0] == 200
        assert served > 4 * queue, served
        taken, reason = until_refused(h)
        assert reason == "ledger_full" and taken <= queue, (taken, reason)
        refused = 1 + stays_shut(h)
        assert len(raw(h)) - before < bound + 8192, "more waits for the disk than may"
        assert Page(h).samples["holdfast_ledger_queued", ()] <= queue
    none_is_missing(h, refused)


@promise
def a_queue_shorter_than_the_config_takes_all_of_it():
    h = s.start(limits="ledger_queue = 1;")
    assert ask(h, "/ok/1")[0] in (200, 503)
    assert h.reload(s.written(limits="ledger_queue = 1;", more=BOUND))["generation"] == 2
    h.stop()
    assert [r["generation"] for r in audit(h) if r["kind"] == "generation"] == [1, 2]


# ---- what happens when it is killed

class Load:
    """Several clients that ask for one path after the other, each on a connection of its own, until Holdfast is gone."""

    def __init__(self, h, clients=4):
        self.threads = [threading.Thread(target=self.work, args=(h, i), daemon=True) for i in range(clients)]
        for t in self.threads:
            t.start()

    @staticmethod
    def work(h, client):
        with contextlib.suppress(OSError, Closed, AssertionError, ValueError), h.tls() as channel:
            for i in range(1000000):
                channel.request("GET", f"/ok/{h.pid}/{client}/{i}", "allowed.test")

    def end(self):
        for t in self.threads:
            t.join(120)
            assert not t.is_alive()


def killed(h, after):
    """kill -9 once the service has seen so many requests of this one: (what it saw, the record that was written last by then,
    what stands behind the last newline)."""
    load = Load(h)
    s.origin.wait(lambda o: len(o.requests) >= after, 600, "the load")
    written = Page(h).samples["holdfast_ledger_last_record", ()]
    h.kill(signal.SIGKILL)
    assert h.wait_exit() == -signal.SIGKILL
    load.end()
    last = sorted(n for n in os.listdir(place(h)) if n.startswith("ledger-"))[-1]
    return [q.target for q in s.origin.requests], written, ledger.lines_of(os.path.join(place(h), last))[1]


@rows([("decision", DECISION), ("queue", "")])
def kill_nine_at_any_moment_leaves_no_gap(row):
    mode, durable = row
    name = f"h{next(numbers)}"
    for turn in range(by_size(3, 5, 100)):      # of both rows together, ten in ./test
        h = s.start(name, ledger_more=durable, doors=DOOR)
        seen, written, tail = killed(h, random.randint(1, by_size(40, 150)))
        again = s.start(name, ledger_more=durable, doors=DOOR)
        again.stop()
        records = audit(again)
        begun = [r for r in records if r["kind"] == "segment"][-1]
        assert begun["seq"] > written, (turn, "what was written is gone", written, begun)
        assert begun.get("torn", {"bytes": 0})["bytes"] == len(tail), (turn, tail, begun)
        assert any("sealed by the next segment" in li.get("msg", "") for li in again.lines) == bool(tail), again.tail()
        found = [r["path"] for r in decisions(records, "allow")]
        recorded = set(found)
        assert len(recorded) == len(found), "a record twice"
        missing = [path for path in seen if path not in recorded]
        if mode == "decision":
            assert not missing, (turn, missing)
        # What was accepted and not yet written is gone: the last of each client, and never one from between.
        for client in range(4):
            of_client = [p for p in seen if p.split("/")[3] == str(client)]
            flags = [p in recorded for p in of_client]
            assert flags == sorted(flags, reverse=True), (turn, client, missing)
        assert len(missing) <= 16384, "more than the queue holds"


@promise
def a_torn_tail_is_sealed_and_told():
    h = s.start(name := f"h{next(numbers)}")
    assert ask(h, "/ok/1") == (200, None)
    h.wait_line(lambda li: li.get("msg") == "checkpoint", what="the first checkpoint")
    h.kill(signal.SIGKILL)
    h.wait_exit()
    last = sorted(n for n in os.listdir(place(h)) if n.startswith("ledger-"))[-1]
    with open(os.path.join(place(h), last), "ab") as f:
        f.write(b'{"seq":99,"prev":"half a rec')
    assert holdfast("audit", "verify", "--ledger", place(h)).returncode == 1, "nobody has sealed it yet"
    again = s.start(name)
    assert any("sealed by the next segment" in li.get("msg", "") for li in again.lines), again.tail()
    again.stop()
    sealed = [r for r in audit(again) if r["kind"] == "segment"][-1]
    assert sealed["torn"]["bytes"] == len(b'{"seq":99,"prev":"half a rec')


@rows([("flipped", "ledger_broken"), ("cut", "ledger_broken")])
def a_broken_ledger_does_not_start(row):
    how, reason = row
    h = s.start(name := f"h{next(numbers)}")
    h.stop()
    path = os.path.join(place(h), ledger.name_of(1))
    with open(path, "rb") as f:
        data = f.read()
    lines = data.splitlines(keepends=True)
    with open(path, "wb") as f:
        f.write(data.replace(b"tests@example", b"tests@examplf") if how == "flipped" else b"".join(lines[:2] + lines[3:]))
    again = s.start(name, wait=False)
    assert again.wait_exit() != 0
    assert any(li.get("reason") == reason for li in again.lines), again.tail()
    assert not again.doors("forward"), "it served"


def bytes_of(h):
    """What the directory holds, the lock apart: (name, content) of each file."""
    held = []
    for name in sorted(os.listdir(place(h))):
        with open(os.path.join(place(h), name), "rb") as f:
            held.append((name, f.read()))
    return held


@rows([("killed, cut between two records", signal.SIGKILL, 0), ("killed, cut within one", signal.SIGKILL, 20), ("stopped", signal.SIGTERM, 0)])
def a_ledger_whose_end_was_cut_off_does_not_start_and_is_left_as_it_is(row):
    _, how, torn = row
    h = s.start(name := f"h{next(numbers)}", doors=DOOR)
    assert ask(h, "/ok/1") == (200, None)
    until_synced(h)
    h.kill(how)
    h.wait_exit()
    with open(os.path.join(place(h), "checkpoint"), "rb") as f:
        kept = f.read()
    path = os.path.join(place(h), ledger.name_of(1))
    with open(path, "rb") as f:
        data = f.read()
    os.truncate(path, data.index(kept) + torn)
    before = bytes_of(h)
    again = s.start(name, wait=False)
    assert again.wait_exit() != 0
    line = next(li for li in again.lines if li.get("reason") == "ledger_broken")
    assert f"the file `checkpoint` is record {json.loads(kept)['seq']}" in line["msg"] and "ledger.keep" in line["msg"], line
    assert not again.doors("forward"), "it served"
    assert bytes_of(h) == before, "it wrote on"
    assert holdfast("audit", "verify", "--ledger", place(h)).returncode == 1


@promise
def two_do_not_write_one_ledger():
    h = s.start()
    other = Holdfast(s.ws, lambda g: s.written()(g).replace(f"{g.run}/ledger", place(h)), name=f"h{next(numbers)}", wait=False)
    assert other.wait_exit() != 0
    assert any("another one writes here" in li.get("msg", "") for li in other.lines), other.tail()
    assert ask(h, "/ok/1") == (200, None)
    h.stop()
    joined(h, audit(h), s.origin.requests)


main(s.end)
