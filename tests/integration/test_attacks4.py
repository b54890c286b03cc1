"""A workload that knows tasks and the ledger are there: it uses a task after its end, another's password or handle, more than
its budget, and tries to reach a service unrecorded."""

import base64
import contextlib
import glob
import itertools
import json
import os
import secrets
import threading

from control import ask
from holdfast import (ADDRESSES, CREDENTIAL, Closed, Holdfast, OTHER_UID, Origin, PROXY_UID, PUBLIC, Workspace, WORKLOAD_UID,
                      by_size, echo, forward_config, hosts, main, own_network, promise, rows)

own_network(ADDRESSES)

SECRET = "REAL-" + secrets.token_hex(16)
ws = Workspace()
numbers = itertools.count()


def serve(connection, request):
    if request.target.endswith("/drop") and len(connection.requests) > 1:
        return True
    if request.target.endswith("/wait"):
        connection.read()
        return True
    return echo(connection, request)


origin = Origin(PUBLIC, 443, ws.leaf("allowed.test"), answer=serve)
plain = Origin(PUBLIC, 80, answer=serve)


def rule(paths, more=""):
    return f'{{ host = "allowed.test"; methods = "any"; paths = {paths}; upstream_trust = "{ws.ca.file}"; {more} }}'


RULES = ", ".join([rule('["/run/**"]', 'credential = "orders"; bind = ["wimse"]; inject = "always";'),
                   rule('["/github/**"]', 'credential = "github"; bind = ["bearer"]; unbound_because = "nothing better";'),
                   '{ host = "plain.test"; scheme = "http"; methods = "any"; paths = "any"; }'])


def grant(name, caller=f"{{ uid = {WORKLOAD_UID}; }}"):
    return f"""
  {{ name = "{name}"; owner = "tests@example"; approved_by = "security@example"; ticket = "SEC-1";
    approved_at = "2026-11-01"; expires_at = "2099-01-01";
    purposes = ["testing", "nightly"]; task = "required"; ttl = "1h"; caller = {caller};
    rules = ( {RULES} ); }}"""


folder = ws.directory("secrets")
with open(os.open(os.path.join(folder, "github"), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as out:
    out.write(SECRET)
os.chown(os.path.join(folder, "github"), PROXY_UID, PROXY_UID)
CREDENTIALS = CREDENTIAL.replace("credentials = {", f"""credentials = {{
  github = {{ owner = "platform@example"; approved_by = "iam@example"; ticket = "SEC-102"; rotate_every = "30d";
    privileges = "read"; source = {{ kind = "file"; path = "{folder}/github"; }};
    handle = {{ shape = "ghp_{{36}}"; env = "GITHUB_TOKEN"; }}; }};""")


def config(**more):
    def text(of):
        inside = forward_config("", grants=grant("nightly") + "," + grant("others", f"{{ uid = {OTHER_UID}; }}"),
                                credentials=CREDENTIALS, names=hosts(allowed_test=PUBLIC, plain_test=PUBLIC), **more)(of)
        return inside + f'control = {{ socket = "{of.run}/control.sock"; }};\n'
    return text


def start(**more):
    return Holdfast(ws, config(**more), name=f"attacks4-{next(numbers)}")


h = start()


class Task:
    def __init__(self, grant="nightly", of=None, **terms):
        self.h = of or h
        told = ask(self.h.run + "/control.sock", "task_start", grant=grant, **{"purpose": "testing", **terms})
        assert told["ok"], told
        self.id, self.password, self.handle = told["id"], told["password"], told["handles"]["GITHUB_TOKEN"]

    @property
    def proof(self):
        return [("Proxy-Authorization", "Basic " + base64.b64encode(f"{self.id}:{self.password}".encode()).decode())]

    def end(self):
        return ask(self.h.run + "/control.sock", "task_end", id=self.id)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def tls(task=None, of=None, uid=WORKLOAD_UID):
    at = of or h
    channel, answer = at.connect(uid=uid, fields=task.proof if task else ())
    assert answer.status == 200, (answer.line, answer.body)
    return channel.start_tls(at.client_context(), "allowed.test")


def records(of):
    found = []
    for name in sorted(glob.glob(of.run + "/ledger/ledger-*.jsonl")):
        with open(name, encoding="utf-8") as f:
            found += [json.loads(line) for line in f]
    return found


# ---- the budget

@promise
def a_budget_of_one_is_one_however_many_ask_at_once():
    for turn in range(by_size(5, 30)):
        with Task(max_requests=1):
            channels = [tls() for _ in range(24)]
            seen = len(origin.requests)
            go, answers = threading.Barrier(len(channels)), []

            def one(channel):
                go.wait()
                with contextlib.suppress(Closed, OSError):
                    answers.append(channel.request("GET", f"/run/{turn}", "allowed.test").status)
            threads = [threading.Thread(target=one, args=(c,)) for c in channels]
            for t in threads:
                t.start()
            for t in threads:
                t.join(120)
            assert answers.count(200) == 1 and len(origin.requests) == seen + 1, (answers, len(origin.requests) - seen)


# ---- behind the end

def half(text):
    return text[:len(text) // 2], text[len(text) // 2:]


GET = "GET /run/late HTTP/1.1\r\nHost: allowed.test\r\n\r\n"
POST = "POST /run/late HTTP/1.1\r\nHost: allowed.test\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
LATE = [(f"{name}-{proven}-{served}", *half(text), proven, served)
        for name, text in (("get", GET), ("post", POST)) for proven in (True, False) for served in (True, False)]


@rows(LATE)
def a_head_begun_before_the_end_goes_nowhere_behind_it(row):
    _, first, rest, proven, served = row
    task = Task()
    with tls(task if proven else None) as c:
        if served:
            assert c.request("GET", "/run/x", "allowed.test").status == 200
        seen = len(origin.requests)
        c.send(first)
        h.mark()
        assert task.end()["ok"]
        with contextlib.suppress(Closed, OSError):
            c.send(rest)
            answer = c.read_answer()
            assert answer.status == 403 and answer.reason in ("task_ended", "task_required"), (answer.status, answer.reason)
        assert len(origin.requests) == seen


@promise
def what_is_pipelined_behind_a_request_ends_with_its_task():
    task = Task()
    with tls() as c:
        seen = len(origin.requests)
        c.send("GET /run/wait HTTP/1.1\r\nHost: allowed.test\r\n\r\n" + GET * 5)
        origin.wait(lambda o: len(o.requests) > seen, what="the request")
        assert task.end()["ok"]
        with Task():
            with contextlib.suppress(Closed, OSError):
                answer = c.read_answer()
                assert (answer.status, answer.reason) == (403, "task_ended")
                c.read_answer()
                raise AssertionError("what was pipelined was answered")
            assert len(origin.requests) == seen + 1, [r.target for r in origin.requests[seen:]]


@promise
def a_password_serves_its_caller_and_its_task_in_every_place():
    with Task() as one, Task("others") as two:
        for fields in (one.proof + two.proof, two.proof + one.proof, two.proof):
            channel, answer = h.connect(fields=fields)
            channel.close()
            assert answer.status == 407, (fields, answer.line)
        seen = len(origin.requests)
        with tls(one) as c:             # inside, nobody asks for it, and it stays here
            assert c.request("GET", "/run/x", "allowed.test", two.proof).status == 200
        assert two.password.encode() not in origin.requests[seen].head
        for encoded in (two.proof[0][1], two.password, two.id + ":" + two.password):
            with tls(one) as c:
                c.request("GET", f"/run/x?a={secrets.token_hex(4)}", "allowed.test", [("X-Api-Key", encoded), ("Authorization", encoded)])
            assert encoded.encode() not in origin.requests[-1].head, origin.requests[-1].head


# ---- the ledger

@promise
def what_reaches_a_service_is_allowed_in_the_ledger_once_and_nothing_else_is():
    one = start()
    origin.forget()
    with Task(of=one) as task:
        with tls(of=one) as c:
            for i in range(10):
                with contextlib.suppress(Closed):
                    c.request("GET", f"/run/{i}/drop", "allowed.test")
        for i in range(20):
            channel = tls(of=one)
            channel.send(f"GET /run/gone/{i} HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
            channel.close()
        one.get("/nowhere?secret=" + SECRET)
        one.get("/github/x?q=" + task.handle, fields=[("Authorization", "Bearer " + task.handle)])
        one.get("/github/y?q=1", fields=[("Authorization", "Bearer " + task.handle)])
    one.mark()
    one.stop()
    allowed = [(r["method"], r["path"]) for r in records(one) if r["kind"] == "decision" and r["verdict"] == "allow"]
    seen = [(r.method, r.target.partition("?")[0]) for r in origin.requests]
    assert sorted(seen) == sorted(a for a in allowed if a in seen), (sorted(set(seen) ^ set(allowed)), len(seen), len(allowed))
    text = "".join(map(json.dumps, records(one))) + "\n".join(one.text)
    for what in (SECRET, task.handle, task.password, "secret="):
        assert what not in text, what


@promise
def what_a_tunnel_is_refused_for_before_a_request_is_in_the_ledger():
    one = start()
    fronted, _ = one.connect()
    with contextlib.suppress(OSError):      # TLS tells it with an alert
        fronted.start_tls(one.client_context(), "plain.test")
        raise AssertionError("another name than CONNECT's was served")
    strange, _ = one.connect()
    strange.send(b"\0\1\2")
    assert strange.is_closed()
    one.stop()
    told = [(r["verdict"], r["reason"], r["who"], r["to"]) for r in records(one) if r["kind"] == "decision"]
    assert sorted(told) == [("refuse", why, f"uid:{WORKLOAD_UID}", "allowed.test:443") for why in ("names_disagree", "not_http")], told


@promise
def a_queue_that_is_full_keeps_neither_start_nor_reload_nor_stop_out():
    one = start(limits="ledger_queue = 1;")
    assert one.reload(config(limits="ledger_queue = 1; handshakes = 50;"))["msg"] == "config reloaded"
    one.stop()
    kinds = [r["kind"] for r in records(one)]
    assert kinds.count("generation") == 2 and kinds.count("grant") == 4 and kinds.count("stop") == 1, kinds


@promise
def a_refusal_that_finds_the_queue_full_is_counted_in_the_ledger():
    one = start(limits="ledger_queue = 1;")
    refused, lock = [0], threading.Lock()

    def ask_and_ask():
        with one.open() as c:
            for i in range(by_size(50, 300)):
                answer = c.request("GET", f"http://plain.test/{i}", "plain.test")
                assert answer.status == 403, answer.line
                with lock:
                    refused[0] += 1
    threads = [threading.Thread(target=ask_and_ask) for _ in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(300)
    one.stop()
    told = records(one)
    entered = sum(r["kind"] == "decision" for r in told)
    lost = sum(r["records"] for r in told if r["kind"] == "lost")
    assert entered + lost == refused[0], (entered, lost, refused[0])


@promise
def no_flood_of_refusals_keeps_a_tasks_start_or_end_out_of_the_ledger():
    one = start(limits="ledger_queue = 1;")
    over = threading.Event()

    def flood():
        with one.open() as c:
            while not over.is_set():
                c.request("GET", "http://nowhere.test/", "nowhere.test")
    threads = [threading.Thread(target=flood) for _ in range(6)]
    for t in threads:
        t.start()
    tasks = []
    for _ in range(by_size(20, 100)):
        with Task(of=one) as task:
            tasks.append(task.id)
    over.set()
    for t in threads:
        t.join(300)
    one.stop()
    for kind in ("task_start", "task_end"):
        assert [r["task"] for r in records(one) if r["kind"] == kind] == tasks, kind


main(h.stop)
