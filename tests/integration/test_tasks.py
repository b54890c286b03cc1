"""Tasks and their end, by three witnesses: nothing begins without a task, each cause ends all that runs under it, and what one
task was given or has opened serves no other."""

import base64
import collections
import contextlib
import itertools
import json
import os
import random
import secrets
import select
import signal
import threading

from cryptography.hazmat.primitives.asymmetric import ec

import jose
from client import bearer
from control import ask
from holdfast import (ADDRESSES, CREDENTIAL, Closed, Holdfast, OTHER_UID, Origin, PROXY_UID, PUBLIC, PUBLIC2, RELEASE, Workspace,
                      WORKLOAD_UID, by_size, connect, echo, forward_config, hosts, main, own_network, promise, rows)
from mapped import mapped
from ops import DOOR, Page

own_network(ADDRESSES)

SECRET = "REAL-" + secrets.token_hex(16)
SLOW = 20           # how much slower than it should be this machine may be
POD = "7d9c1a52-0f3e-4b1d-8f43-6f2d1f0b9c11"
ws = Workspace()
numbers = itertools.count()


# ---- the service

def serve(connection, request):
    """As its path says: /…/wait never answers, /…/upload reads what comes, /…/download has no end."""
    last = request.target.rpartition("/")[2]
    if last == "wait":
        connection.read()
    elif last == "upload":
        connection.read_body(request, lambda piece: request.__setattr__("got", True) or origin.nudge())
    elif last == "download":
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        Watcher(connection).wait()
        connection.send(b"4\r\nlast\r\n0\r\n\r\n")
    elif last == "endless":                     # its end is the connection's
        connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nfirst")
        connection.read()
    else:
        echo(connection, request)


class Watcher:
    """Until the test says `go_on`, or the peer has gone."""

    def __init__(self, connection):
        self.connection = connection

    def wait(self):
        while not go_on.is_set():
            if select.select([self.connection.sock], [], [], 0.05)[0]:
                self.connection.read()


class Service(Origin):
    def nudge(self):
        with self._changed:
            self._changed.notify_all()


go_on = threading.Event()
origin = Service(PUBLIC, 443, ws.leaf("allowed.test"), answer=serve)
plain = Service(PUBLIC, 80, answer=serve)


# ---- the scene

def rule(paths, more="", host="allowed.test"):
    return f'{{ host = "{host}"; methods = "any"; paths = {paths}; upstream_trust = "{ws.ca.file}"; {more} }}'


SIGNED = 'credential = "orders"; bind = ["wimse"]; inject = "always";'
BEARER = 'credential = "github"; bind = ["bearer"]; unbound_because = "the service takes nothing else";'
PLAIN = '{ host = "plain.test"; scheme = "http"; methods = "any"; paths = "any"; }'
RULES = ", ".join([rule('["/run/**"]', SIGNED), rule('["/github/**"]', BEARER),
                   rule('["/night/**"]', SIGNED + 'purposes = ["nightly"];'), PLAIN])


ONE_PURPOSE = ", ".join([rule('["/run/**"]', SIGNED), rule('["/github/**"]', BEARER)])


def grant(name, uid=WORKLOAD_UID, rules=RULES, task="required", purposes='"testing", "nightly"', ttl="1h", more=""):
    return f"""
  {{ name = "{name}"; owner = "tests@example"; approved_by = "security@example"; ticket = "SEC-1";
    approved_at = "2026-11-01"; expires_at = "2099-01-01";
    purposes = [{purposes}]; task = "{task}"; ttl = "{ttl}"; caller = {{ uid = {uid}; }}; {more}
    rules = ( {rules} ); }}"""


def credentials(folder):
    path = os.path.join(folder, "github")
    if not os.path.exists(path):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as f:
            f.write(SECRET)
        os.chown(path, PROXY_UID, PROXY_UID)
    return CREDENTIAL.replace("credentials = {", f"""credentials = {{
  github = {{ owner = "platform@example"; approved_by = "iam@example"; ticket = "SEC-102"; rotate_every = "30d";
    privileges = "read"; source = {{ kind = "file"; path = "{path}"; }}; handle = {{ shape = "ghp_{{36}}"; env = "GITHUB_TOKEN"; }}; }};""")


folder = ws.directory("secrets")


def config(*grants, **more):
    """With a control socket and a door for metrics beside the rest."""
    def text(h):
        inside = forward_config("", grants=", ".join(grants), credentials=credentials(folder),
                                names=hosts(allowed_test=PUBLIC, plain_test=PUBLIC, slow_test=PUBLIC2), **{"doors": DOOR, **more})(h)
        return inside + f'control = {{ socket = "{h.run}/control.sock"; }};\n'
    return text


def start(*grants, **more):
    return Holdfast(ws, config(*grants, **more), name=f"tasks-{next(numbers)}")


def start_in_use(*grants):
    """The binary that we ship, where it is there: for what is done ten thousand times, or looked for in memory."""
    return Holdfast(ws, config(*grants), name=f"tasks-{next(numbers)}", binary=RELEASE if os.path.exists(RELEASE) else None)


class Task:
    """Begun on the control socket of h."""

    def __init__(self, grant="nightly", of=None, **terms):
        self.h = of or h
        answer = self.h_ask("task_start", grant=grant, **{"purpose": "testing", **terms})
        assert answer["ok"], answer
        self.id, self.password, self.handles = answer["id"], answer["password"], answer["handles"]
        self.told = answer

    def h_ask(self, verb, **members):
        return ask(self.h.run + "/control.sock", verb, **members)

    @property
    def handle(self):
        return self.handles["GITHUB_TOKEN"]

    @property
    def proof(self):
        """The field with which a client says which task it is of."""
        return [("Proxy-Authorization", "Basic " + base64.b64encode(f"{self.id}:{self.password}".encode()).decode())]

    def end(self):
        return self.h_ask("task_end", id=self.id)

    def wait_end(self, cause):
        """The log's line of its end; it came when it should."""
        line = self.h.wait_line(lambda li: li.get("msg") == "task ended" and li["task"] == self.id, what="the task's end")
        assert line["cause"] == cause, line
        assert line["ms"] <= 100 * SLOW, line
        return line

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


GRANTS = [grant("nightly"), grant("others", OTHER_UID)]
h = start(*GRANTS)


def tls(task=None, of=None, uid=WORKLOAD_UID):
    """A tunnel with TLS inside, opened by a client that proves its task."""
    at = of or h
    channel, answer = at.connect(uid=uid, fields=task.proof if task else ())
    assert answer.status == 200, (answer.line, answer.body)
    return channel.start_tls(at.client_context(), "allowed.test")


def context_of(request):
    """What the token says of the task."""
    return jose.parts(request.get("workload-identity-token"))[1][jose.CONTEXT]


def alarms(since, of=None):
    at = of or h
    return [li for li in at.lines[since:at.mark()] if li.get("msg") == "alarm"]


def told_of(task):
    """The first of its requests that the log tells of."""
    return task.h.wait_line(lambda li: li.get("msg") == "request" and li.get("task") == task.id, what="a request of the task")


# ---- no task, no request

@promise
def without_a_task_nothing_of_its_grant_is_allowed():
    seen = len(origin.requests)
    answer = h.get("/run/x")
    assert (answer.status, answer.reason) == (403, "task_required"), answer.line
    assert len(origin.requests) == seen


@promise
def a_task_allows_what_its_grant_does_and_its_token_says_so():
    with Task(purpose="nightly") as task:
        answer = h.get("/run/x")
        assert answer.status == 200, answer.body
        said = context_of(origin.requests[-1])
        assert (said["task"], said["grant"], said["purpose"]) == (task.id, "nightly", "nightly"), said
        line = told_of(task)
        assert (line["grant"], line["reason"]) == ("nightly", "ok"), line
    answer = h.get("/run/x")
    assert (answer.status, answer.reason) == (403, "task_required"), answer.line


@promise
def a_task_serves_its_caller_alone():
    with Task():
        answer = h.get("/run/x", uid=OTHER_UID)
        assert (answer.status, answer.reason) == (403, "task_required"), answer.line
        assert h.get("/run/x").status == 200


@promise
def a_rule_for_one_purpose_is_closed_to_another():
    with Task():
        answer = h.get("/night/x")
        assert (answer.status, answer.reason) == (403, "purpose_not_allowed"), (answer.reason, answer.line)
    with Task(purpose="nightly"):
        assert h.get("/night/x", fields=[("X-Purpose", "testing")]).status == 200


@rows([("grant", {"grant": "nobody"}, "grant_unknown"), ("purpose", {"purpose": "fun"}, "task_purpose"),
       ("no-purpose", {"purpose": ""}, "task_purpose"), ("long", {"ttl": "2h"}, "task_terms"),
       ("caller", {"uid": OTHER_UID}, "task_terms"), ("nonsense", {"ttl": "soon"}, "task_terms"),
       ("budget", {"max_requests": -1}, "task_terms")])
def a_task_beyond_its_grant_is_not_begun(row):
    asked = {"grant": "nightly", "purpose": "testing", **row[1]}
    answer = ask(h.run + "/control.sock", "task_start", **asked)
    assert not answer["ok"] and answer["reason"] == row[2], answer
    assert ask(h.run + "/control.sock", "task_list")["tasks"] == []


# ---- which of several

@promise
def of_several_tasks_the_client_says_which():
    with Task() as one, Task() as two:
        answer = h.get("/run/x")
        assert (answer.status, answer.reason) == (403, "task_ambiguous"), answer.line
        for task in (one, two, one):
            with tls(task) as c:
                assert c.request("GET", "/run/x", "allowed.test").status == 200
            assert context_of(origin.requests[-1])["task"] == task.id


def in_the_clear(fields, uid=WORKLOAD_UID):
    with h.open(uid) as c:
        return c.request("GET", "http://plain.test/x", "plain.test", fields)


@promise
def a_request_in_the_clear_says_it_itself_and_the_password_stays_here():
    with Task() as one, Task():
        answer = in_the_clear(())
        assert (answer.status, answer.reason) == (403, "task_ambiguous"), answer.line
        assert in_the_clear(one.proof).status == 200
        seen = plain.requests[-1]
        assert seen.get("proxy-authorization") is None and one.password.encode() not in seen.head
        assert told_of(one)["to"] == "plain.test:80"


def counted(kind):
    """Alarms of all that is over."""
    h.mark()
    return Page(h).get("holdfast_alarms_total", kind=kind)


@promise
def a_wrong_password_opens_nothing_and_is_alarmed():
    before = counted("proxy_credential")
    with Task() as one:
        since = h.mark()
        seen = len(origin.connections)
        wrong = base64.b64encode(f"{one.id}:{one.password[:-1]}".encode()).decode()
        channel, answer = h.connect(fields=[("Proxy-Authorization", f"Basic {wrong}")])
        channel.close()
        assert (answer.status, answer.reason) == (407, "proxy_credential"), answer.line
        assert answer.get("proxy-authenticate").startswith("Basic "), answer.fields
        channel, answer = h.connect(uid=OTHER_UID, fields=one.proof)
        channel.close()
        assert (answer.status, answer.reason) == (407, "proxy_credential"), answer.line
        assert in_the_clear([("Proxy-Authorization", f"Basic {wrong}")]).status == 407
        assert [(a["kind"], a["uid"]) for a in alarms(since)] == [("proxy_credential", u) for u in
                                                                   (WORKLOAD_UID, OTHER_UID, WORKLOAD_UID)]
        assert len(origin.connections) == seen
    channel, answer = h.connect(fields=one.proof)
    channel.close()
    assert answer.status == 407, "an ended task's password was taken"
    assert counted("proxy_credential") == before + 4


# ---- handles

@promise
def a_tasks_handle_is_worth_the_secret_to_its_task_alone():
    with Task() as one, Task() as two, Task("others") as other:
        assert len({one.handle, two.handle, other.handle}) == 3 and one.handle.startswith("ghp_")
        for task in (one, two):                 # a handle says which task, too
            assert h.get("/github/x", fields=bearer(task.handle)).status == 200
            assert origin.requests[-1].all("authorization") == [f"Bearer {SECRET}"]
            assert told_of(task)["path"] == "/github/x"
        since, seen = h.mark(), len(origin.requests)
        answer = h.get("/github/x", fields=bearer(one.handle), uid=OTHER_UID)
        assert (answer.status, answer.reason) == (403, "foreign_handle"), answer.line
        with tls(two) as c:
            answer = c.request("GET", "/github/x", "allowed.test", bearer(one.handle))
            assert (answer.status, answer.reason) == (403, "foreign_handle"), answer.line
        answer = h.get("/run/x", fields=bearer(one.handle))
        assert (answer.status, answer.reason) == (403, "handle_misplaced"), answer.line
        assert [a["kind"] for a in alarms(since)] == ["foreign_handle", "foreign_handle", "handle_misplaced"]
        assert len(origin.requests) == seen


@promise
def a_handle_of_a_task_that_has_ended_is_a_tripwire():
    with Task() as one:
        pass
    with Task() as two:
        since = h.mark()
        answer = h.get("/github/x", fields=bearer(one.handle))
        assert (answer.status, answer.reason) == (403, "ended_handle"), answer.line
        assert [a["kind"] for a in alarms(since)] == ["ended_handle"]
        assert h.get("/github/x", fields=bearer(two.handle)).status == 200


# ---- the end, whatever ends it

class Situation:
    """Something of a task's going on at h."""

    def __init__(self, task, folder="/run"):
        self.task, self.h, self.folder = task, task.h, folder
        self.seen = len(origin.requests)
        self.since = self.h.index()
        self.begin()

    def begin(self):
        self.channel = tls(of=self.h)
        self.channel.send(self.head())
        origin.wait(lambda o: len(o.requests) > self.seen, what="the request")
        self.request = origin.requests[self.seen]

    def upstream_is_closed(self):
        assert self.request.connection.closed.wait(60), "the service still has its connection"

    def was_told(self):
        line = self.h.wait_line(lambda li: li.get("msg") == "request" and li.get("task") == self.task.id
                                and li["path"] == self.request.target, what="the request's line")
        assert (line["reason"], line["grant"]) == ("task_ended", "nightly"), line

    def is_refused(self, stopped):
        try:
            answer = self.channel.read_answer()
        except Closed:
            assert stopped, "it was cut before it was told why"
            return
        assert (answer.status, answer.reason) == (403, "task_ended"), answer.line
        assert self.channel.is_closed()


class Waiting(Situation):
    def head(self):
        return "GET /run/wait HTTP/1.1\r\nHost: allowed.test\r\n\r\n"

    def is_over(self, stopped=False):
        self.is_refused(stopped)
        self.upstream_is_closed()
        self.was_told()


class Uploading(Situation):
    def head(self):
        return "POST /run/upload HTTP/1.1\r\nHost: allowed.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"

    def begin(self):
        super().begin()
        origin.wait(lambda o: getattr(self.request, "got", False), what="the first of the body")

    def is_over(self, stopped=False):
        with contextlib.suppress(Closed):
            self.channel.send("4\r\nmore\r\n")
        self.is_refused(stopped)
        self.upstream_is_closed()
        assert self.request.body == b"first", self.request.body
        self.was_told()


class Downloading(Situation):
    path, first = "download", b"5\r\nfirst\r\n"

    def head(self):
        go_on.clear()
        return f"GET {self.folder}/{self.path} HTTP/1.1\r\nHost: allowed.test\r\n\r\n"

    def begin(self):
        super().begin()
        assert self.channel.read_head().status == 200
        self.channel.until(self.first)

    def is_over(self, stopped=False):
        try:            # past TLS, which would not tell how it ended
            self.channel.sock.settimeout(None)
            while os.read(self.channel.sock.fileno(), 65536):
                pass
            raise AssertionError("the answer's end looks like one that was meant")
        except ConnectionResetError:
            pass
        self.upstream_is_closed()
        self.was_told()


class DownloadingWithoutLength(Downloading):
    path, first = "endless", b"first"


class Idle(Situation):
    def begin(self):
        self.channel = tls(of=self.h)
        assert self.channel.request("GET", "/run/x", "allowed.test").status == 200
        self.request = origin.requests[-1]

    def is_over(self, stopped=False):
        assert self.channel.is_closed()
        self.upstream_is_closed()


class Next(Situation):
    def begin(self):
        assert self.h.get("/run/x").status == 200

    def is_over(self, stopped=False):
        seen = len(origin.requests)
        if stopped:
            return
        answer = self.h.get("/run/x")
        assert answer.status == 403 and answer.reason in ("task_required", "host_not_allowed", "caller_not_allowed"), \
            (answer.reason, answer.line)
        assert len(origin.requests) == seen


SITUATIONS = [Waiting, Uploading, Downloading, DownloadingWithoutLength, Idle, Next]


def finish(task):
    told = task.end()
    assert told["ok"] and told["cause"] == "finished", told


def revoke(task):
    told = task.h_ask("task_revoke", grant="nightly")
    assert told["ok"], told


def revoke_all(task):
    assert task.h_ask("task_revoke", all=True)["ok"]


def remove(task):
    assert task.h.reload(config(grant("others", OTHER_UID)))["msg"] == "config reloaded"


def narrow(task):
    fewer = ", ".join([rule('["/run/wait"]', SIGNED), PLAIN])
    assert task.h.reload(config(grant("nightly", rules=fewer), GRANTS[1]))["msg"] == "config reloaded"


CAUSES = [("finished", "finished", finish), ("revoked", "revoked", revoke), ("all-revoked", "revoked", revoke_all),
          ("removed", "withdrawn", remove), ("narrowed", "withdrawn", narrow)]


@rows([(f"{name}-{situation.__name__}", cause, end, situation) for name, cause, end in CAUSES for situation in SITUATIONS])
def what_runs_under_a_task_ends_with_it(row):
    _, cause, end, situation = row
    task = Task()
    going_on = situation(task)
    try:
        end(task)
        task.wait_end(cause)
        going_on.is_over()
    finally:
        if cause == "withdrawn":
            assert h.reload(config(*GRANTS))["msg"] == "config reloaded"


@rows([(situation.__name__, situation) for situation in SITUATIONS])
def a_task_that_outlives_its_ttl_ends(row):
    """On a machine so slow that it ended before anything was going on, it is given more time."""
    ttl_s = 2
    while True:
        task = Task(ttl=f"{ttl_s}s")
        try:
            going_on = row[1](task)
            break
        except (AssertionError, Closed, OSError):
            assert ttl_s < 300 and task.told["left_ms"] <= ttl_s * 1000
            task.end()
            ttl_s *= 4
    task.wait_end("expired")
    going_on.is_over()


@rows([(f"{name}-{situation.__name__}", how, situation) for name, how in (("term", signal.SIGTERM), ("int", signal.SIGINT))
       for situation in SITUATIONS])
def when_holdfast_stops_its_tasks_end(row):
    one = start(*GRANTS, limits='drain = "0s";')
    task = Task(of=one)
    going_on = row[2](task)
    one.kill(row[1])
    task.wait_end("stopped")
    going_on.is_over(stopped=True)
    assert one.wait_exit() == 0
    one.assert_clean()


@promise
def a_stop_that_drains_lets_a_tasks_exchange_finish():
    one = start(*GRANTS)
    task = Task(of=one)
    going_on = Downloading(task)
    mark = one.mark()
    one.kill(signal.SIGTERM)
    one.wait_draining(mark)
    go_on.set()
    going_on.channel.until(b"last\r\n0\r\n\r\n")
    task.wait_end("stopped")
    assert one.wait_exit() == 0


@promise
def a_stop_that_drains_is_cut_short_by_whoever_revokes():
    one = start(*GRANTS)
    task = Task(of=one)
    going_on = Downloading(task)
    mark = one.mark()
    one.kill(signal.SIGTERM)
    one.wait_draining(mark)
    assert ask(one.run + "/control.sock", "task_revoke", all=True) == {"ok": True, "ended": 1}
    line = one.wait_line(lambda li: li.get("msg") == "task ended" and li["task"] == task.id, what="the task's end")
    assert (line["cause"], line["cut"]) == ("stopped", 1), line
    going_on.is_over()
    assert one.wait_exit() == 0


@promise
def a_stop_that_drains_gives_no_task_more_time_than_it_had():
    """Its limit is the config's, an hour, and nobody goes on: what ends it is the task's own deadline."""
    one = start(*GRANTS, limits='drain = "1h";')
    ttl_s = 2
    while True:         # a machine so slow that it ended before anything was going on
        task = Task(of=one, ttl=f"{ttl_s}s")
        try:
            going_on = Downloading(task)
            break
        except (AssertionError, Closed, OSError):
            assert ttl_s < 300 and task.told["left_ms"] <= ttl_s * 1000
            task.end()
            ttl_s *= 4
    one.kill(signal.SIGTERM)
    line = one.wait_line(lambda li: li.get("msg") == "task ended" and li["task"] == task.id, timeout=1200, what="the task's end")
    assert line["cause"] in ("stopped", "expired") and line["cut"] == 1, line
    going_on.is_over()
    assert one.wait_exit() == 0


class Slow(Origin):
    """A service whose handshakes wait until the test says so."""

    def __init__(self):
        self.let_go = threading.Event()
        super().__init__(PUBLIC2, 443, ws.leaf("slow.test"))

    def _serve(self, connection):
        self.let_go.wait(3600)
        super()._serve(connection)


slow = Slow()


def start_with_slow():
    return start(grant("nightly", rules=rule('["/run/**"]', SIGNED, host="slow.test"), purposes='"testing"'),
                 limits='drain = "1h"; handshake_timeout = "1h";')


def ask_slow(of, **terms):
    """(task, the channel on which an answer will come): judged, and being dialled."""
    slow.let_go.clear()
    slow.forget()
    task = Task(of=of, **terms)
    channel = of.tls("slow.test:443")
    channel.send("GET /run/x HTTP/1.1\r\nHost: slow.test\r\n\r\n")
    slow.wait(lambda o: o.connections, what="the dial")
    return task, channel


def stop_begins(of):
    mark = of.mark()
    of.kill(signal.SIGTERM)
    of.wait_draining(mark)


@promise
def a_dial_that_lasts_longer_than_its_task_is_refused_while_holdfast_stops():
    """What was judged before may go on under TERM, but not past the task's deadline."""
    one = start_with_slow()
    ttl_s = 2
    while True:         # a machine so slow that it ended before it was dialled
        try:
            task, channel = ask_slow(one, ttl=f"{ttl_s}s")
            break
        except (AssertionError, Closed, OSError):
            assert ttl_s < 300
            ttl_s *= 4
    one.kill(signal.SIGTERM)
    one.wait_line(lambda li: li.get("msg") == "task ended" and li["task"] == task.id, timeout=1200, what="the task's end")
    slow.let_go.set()
    with contextlib.suppress(Closed):
        answer = channel.read_answer()
        assert (answer.status, answer.reason) == (403, "task_ended"), answer.line
    assert one.wait_exit() == 0
    assert not slow.requests, "it was sent behind its task's end"


@promise
def a_dial_that_ends_within_its_task_is_served_while_holdfast_stops():
    one = start_with_slow()
    task, channel = ask_slow(one)
    stop_begins(one)
    slow.let_go.set()
    assert channel.read_answer().status == 200
    task.wait_end("stopped")
    assert one.wait_exit() == 0


def reads(of):
    """How often its config was read, and what came of it was over."""
    return ask(of.run + "/control.sock", "status")["config"]["reads"]


@promise
def a_reload_that_is_under_way_when_holdfast_stops_is_given_up():
    """What runs began under the config before the last: when that has gone, the end of its task must not ask it anything."""
    def much(n):
        hosts_of = ", ".join(f'{{ host = "h{i}.more{n}.test"; methods = "any"; paths = "any"; }}' for i in range(2000))
        return grant(f"more-{n}", rules=hosts_of)
    alone = {"workers": 1}    # two would leave one behind that has the last config still
    one = start(*GRANTS, **alone)
    task = Task(of=one)
    going_on = Downloading(task)
    assert one.reload(config(*GRANTS, much(1), **alone))["msg"] == "config reloaded"
    one.write_config(config(*GRANTS, much(2), **alone))
    mark = one.mark()
    read = reads(one)
    one.kill(signal.SIGHUP)
    one.kill(signal.SIGTERM)
    one.wait_draining(mark)
    for _ in range(12000):
        if reads(one) > read:
            break
        threading.Event().wait(0.01)
    assert reads(one) > read, "the files were never read"
    go_on.set()
    going_on.channel.until(b"last\r\n0\r\n\r\n")
    one.wait_line(lambda li: li.get("msg") == "task ended" and li["task"] == task.id, what="the end of the task")
    assert one.wait_exit() == 0
    one.assert_clean()


# ---- the budget

@promise
def a_spent_budget_ends_the_task_when_its_last_request_is_over():
    task = Task(max_requests=2)
    idle = tls()
    assert idle.request("GET", "/run/x", "allowed.test").status == 200
    assert idle.request("GET", "/run/x", "allowed.test").status == 200
    task.wait_end("spent")
    assert idle.is_closed()
    assert origin.requests[-1].connection.closed.wait(60)
    answer = h.get("/run/x")
    assert (answer.status, answer.reason) == (403, "task_required"), answer.line


@promise
def the_last_of_a_budget_does_not_cut_the_one_before_it():
    task = Task(max_requests=2)
    first = Downloading(task)
    assert h.get("/run/x").status == 200
    answer = h.get("/run/x")
    assert (answer.status, answer.reason) == (403, "task_budget"), answer.line
    go_on.set()
    first.channel.until(b"last\r\n0\r\n\r\n")
    task.wait_end("spent")


# ---- a grant that lets them finish

@promise
def a_grant_may_let_what_runs_finish_and_nothing_begin():
    one = start(grant("nightly", more='drain = "1h";'))
    task = Task(of=one)
    going_on = Downloading(task)
    waiting = Waiting(task)
    told = {}
    ending = threading.Thread(target=lambda: told.update(task.end()))
    ending.start()
    idle_refusal = until_refused(one)
    assert idle_refusal == "task_required"
    assert ending.is_alive(), "the end was told while something ran"
    go_on.set()
    going_on.channel.until(b"last\r\n0\r\n\r\n")
    assert going_on.channel.is_closed(), "another request could follow"
    waiting.channel.close()
    ending.join(60)
    assert told["ok"] and told["cut"] == 0, told
    assert going_on.request.connection.closed.wait(60)
    one.stop()


def until_refused(one):
    """The end is on its way: another request is refused as soon as it is there."""
    for _ in range(1000):
        answer = one.get("/run/x")
        if answer.status != 200:
            return answer.reason
    raise AssertionError("it never ended")


@promise
def what_has_not_finished_when_the_grants_time_is_over_is_cut():
    one = start(grant("nightly", more='drain = "200ms";'))
    task = Task(of=one)
    going_on = Downloading(task)
    told = task.end()
    assert told["ok"] and told["cut"] == 1, told
    going_on.is_over()
    one.stop()


# ---- tasks that Holdfast begins

@promise
def a_pods_task_lives_from_start_to_end_under_the_pods_name():
    def text(of):
        return config(grant("nightly", task="pod", rules=ONE_PURPOSE, purposes='"testing"'))(of).replace("workload = {", f'workload = {{ pod = "{POD}";')
    one = Holdfast(ws, text, name=f"tasks-{next(numbers)}")
    assert one.get("/run/x").status == 200
    assert context_of(origin.requests[-1])["task"] == POD
    one.stop()
    line = one.wait_line(lambda li: li.get("msg") == "task ended", what="the pod's task's end")
    assert (line["task"], line["cause"]) == (POD, "stopped"), line


@promise
def a_renewed_task_takes_over_what_runs_and_ends_it():
    one = start(grant("nightly", task="standing", rules=ONE_PURPOSE, purposes='"testing"', ttl="10s"), log='log = { level = "debug"; };')
    assert one.get("/run/x").status == 200
    first = context_of(origin.requests[-1])["task"]
    stream = Downloading(Renewed(one, first))
    one.wait_line(lambda li: li.get("msg") == "task ended" and li["task"] == first and li["cause"] == "renewed",
                  timeout=300, what="the renewal")
    assert one.get("/run/x").status == 200
    assert context_of(origin.requests[-1])["task"] != first
    assert ask(one.run + "/control.sock", "task_revoke", grant="nightly")["ok"]
    stream.is_over()
    one.stop()


@promise
def a_narrowed_standing_grant_cuts_what_it_no_longer_allows_and_nothing_else():
    def with_paths(paths):
        return grant("nightly", task="standing", rules=rule(paths, SIGNED), purposes='"testing"')
    one = start(with_paths('["/run/**", "/kept/**"]'))
    kept, cut = Downloading(Renewed(one, None), "/kept"), Downloading(Renewed(one, None))
    idle = tls(of=one)
    assert idle.request("GET", "/kept/x", "allowed.test").status == 200
    assert one.reload(config(with_paths('["/kept/**"]')))["msg"] == "config reloaded"
    cut.task = Renewed(one, context_of(cut.request)["task"])
    cut.is_over()
    assert idle.request("GET", "/kept/x", "allowed.test").status == 200
    assert context_of(origin.requests[-1])["task"] != cut.task.id, "the narrowed grant's token is in use"
    go_on.set()
    kept.channel.until(b"last\r\n0\r\n\r\n")
    one.stop()


class Renewed:
    """Stands for a task that nobody started."""

    def __init__(self, of, name):
        self.h, self.id = of, name


# ---- the key

def keys_in(pid):
    """Whatever could be a private key of P-256: four words in a row that look random, as libcrypto keeps a number; and those
    of which it is one are told by their public half."""
    found = set()
    for data in mapped(pid, "rw"):
        words = memoryview(data[:len(data) & ~7]).cast("Q")
        run = 0
        for i, word in enumerate(words):
            run = run + 1 if word >> 52 and word != 0xffffffffffffffff else 0
            if run >= 4:
                found.add(sum(words[i - 3 + n] << 64 * n for n in range(4)))
    return found


def has_key_of(pid, jwk):
    wanted = int.from_bytes(jose.unb64(jwk["x"]), "big")
    order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
    return any(ec.derive_private_key(d, ec.SECP256R1()).public_key().public_numbers().x == wanted
               for d in keys_in(pid) if 0 < d < order)


@promise
def a_tasks_key_is_in_memory_until_its_end_and_no_longer():
    one = start_in_use(*GRANTS)
    task = Task(of=one)
    with tls(of=one) as kept:
        assert kept.request("GET", "/run/x", "allowed.test").status == 200
        jwk = jose.parts(origin.requests[-1].get("workload-identity-token"))[1]["cnf"]["jwk"]
        assert has_key_of(one.pid, jwk), "this test would not find one"
        task.end()
        assert not has_key_of(one.pid, jwk), "the key outlived its task"
    one.stop()


# ---- nothing is shared

class Recorder:
    """Whose each upstream connection is, and whether its handshake was a shorter one. In the clear it is the path that says
    whose: only one task of the grant lives at a time."""

    def __init__(self):
        self.tasks = collections.defaultdict(set)       # connection → ids
        self.lock = threading.Lock()
        self.first_resumed = {}                         # id → the first handshake of its own
        self.late = []

    def serve(self, connection, request):
        if request.get("workload-identity-token"):
            said = context_of(request)["task"]
        else:
            said = request.get("x-task") or request.target.split("/")[-2]
        with self.lock:
            self.tasks[connection].add(said)
            if connection.origin is origin:
                self.first_resumed.setdefault(said, connection.sock.session_reused)
            if request.target.endswith("/late"):
                self.late.append(request.target)
        echo(connection, request)
        return random.Random(f"{connection.number}.{len(connection.requests)}").random() < 0.1


@promise
def two_tasks_interleaved_share_no_connection_no_session_no_token_and_no_handle():
    """Of one grant, so that nothing but the task keeps them apart."""
    dice = random.Random(4)
    recorder = Recorder()
    one = start(grant("nightly", rules=ONE_PURPOSE).replace(f"caller = {{ uid = {WORKLOAD_UID}; }}", 'caller = "any"'))
    origin.answer = recorder.serve
    origin.forget()
    uids = {"first": WORKLOAD_UID, "second": OTHER_UID}

    def begin(name):
        return Task(of=one, uid=uids[name])
    tasks = {name: begin(name) for name in uids}
    channels, tokens = {}, collections.defaultdict(set)
    handles = {name: [tasks[name].handle] for name in uids}
    try:
        for turn in range(by_size(300, 10_000)):
            name, other = dice.sample(sorted(uids), 2)
            if dice.random() < 0.02:
                tasks[name].end()
                channels.pop(name, None)
                tasks[name] = begin(name)
                handles[name].append(tasks[name].handle)
            if name not in channels:
                channels[name] = tls(of=one, uid=uids[name])
            what = dice.random()
            try:
                if what < 0.6:
                    answer = channels[name].request("GET", f"/run/{turn}", "allowed.test")
                    assert answer.status == 200, (turn, answer.line, answer.body)
                    token = dict(answer.json()["fields"])["workload-identity-token"]
                    tokens[token].add(tasks[name].id)
                elif what < 0.8:
                    answer = channels[name].request("GET", f"/github/{turn}", "allowed.test",
                                                    [*bearer(tasks[name].handle), ("X-Task", tasks[name].id)])
                    assert answer.status == 200, (turn, answer.line, answer.body)
                else:
                    copied = dice.choice(handles[other])
                    answer = channels[name].request("GET", f"/github/{turn}", "allowed.test", bearer(copied))
                    wanted = "foreign_handle" if copied == tasks[other].handle else "ended_handle"
                    assert (answer.status, answer.reason) == (403, wanted), (turn, answer.line)
            except Closed:
                channels.pop(name)      # the service closed after the answer before
    finally:
        origin.answer = serve
        for task in tasks.values():
            task.end()
    assert len(recorder.tasks) > 10 and len(recorder.first_resumed) > 2
    assert all(len(ids) == 1 for ids in recorder.tasks.values()), [t for t in recorder.tasks.values() if len(t) > 1]
    assert not any(recorder.first_resumed.values()), "a task's first handshake resumed another's session"
    assert all(len(ids) == 1 for ids in tokens.values())
    one.stop()


# ---- nothing begins behind the end

class Hammer(threading.Thread):
    """A client that asks and asks, in a tunnel or in the clear. What it asks after the end was acknowledged has a path of its own."""

    def __init__(self, at, acknowledged, task, in_tunnel):
        super().__init__(daemon=True)
        self.at, self.acknowledged, self.task, self.in_tunnel = at, acknowledged, task, in_tunnel
        self.allowed_late = 0
        self.answered = threading.Event()
        self.error = None

    def ask(self, channel, path):
        if self.in_tunnel:
            return channel.request("GET", path, "allowed.test")
        return channel.request("GET", "http://plain.test" + path, "plain.test")

    def run(self):
        try:
            late = 0
            channel = None
            while late < 2:
                late += self.acknowledged.is_set()
                path = f"/run/{self.task.id}/" + ("late" if self.acknowledged.is_set() else "early")
                try:
                    channel = channel or (self.at.tls() if self.in_tunnel else self.at.open())
                    answer = self.ask(channel, path)
                    self.answered.set()
                    self.allowed_late += path.endswith("late") and answer.status == 200
                except (Closed, OSError):
                    channel = None
        except Exception as e:          # for whoever started it
            self.error = e


ENDS = [Task.end, Task.end, lambda task: task.h_ask("task_revoke", grant="nightly"), lambda task: task.h_ask("task_revoke", all=True)]


@promise
def no_request_of_a_task_starts_upstream_once_its_end_was_acknowledged():
    """One in three of the clients has TLS to do, and the others ask the more often. What the service sees is compared with
    when we were told, and with what Holdfast has said itself: in its ledger nothing is allowed behind a task's end."""
    dice = random.Random(5)
    recorder = Recorder()
    one = start_in_use(*GRANTS)
    for service in (origin, plain):
        service.forget()
        service.answer = recorder.serve
    ended_at = {}       # id → how many connections the services had seen by then
    try:
        for _ in range(by_size(200, 2000, 10_000)):
            task = Task(of=one)
            acknowledged = threading.Event()
            hammers = [Hammer(one, acknowledged, task, in_tunnel=dice.random() < 1 / 3) for _ in range(2)]
            for hammer in hammers:
                hammer.start()
            if dice.random() < 0.5:     # at work; else still at its beginning
                assert hammers[0].answered.wait(120)
            threading.Event().wait(dice.random() * 0.01)
            told = dice.choice(ENDS)(task)
            acknowledged.set()
            assert told["ok"], told
            ended_at[task.id] = {service: barrier(service) for service in (origin, plain)}
            for hammer in hammers:
                hammer.join(120)
                assert not hammer.is_alive() and hammer.error is None, hammer.error
                assert hammer.allowed_late == 0
    finally:
        origin.answer, plain.answer = serve, echo
    assert not recorder.late, recorder.late
    behind = [(c.number, ids) for c, ids in recorder.tasks.items() if any(c.number >= ended_at[i][c.origin] for i in ids)]
    assert not behind, behind
    assert all(len(ids) == 1 for ids in recorder.tasks.values()), "two tasks on one connection"
    assert len(recorder.tasks) > len(ended_at) / 4, "nothing ran while tasks ended"
    for connection in recorder.tasks:
        assert connection.closed.wait(60), "a connection outlived its task"
    one.stop()
    ended, allowed_behind = order_of(one)
    assert ended == set(ended_at) and not allowed_behind, allowed_behind


def order_of(at):
    """By its ledger: the tasks that have ended, and what was allowed under one that had."""
    ended, behind = set(), []
    folder = at.run + "/ledger"
    for name in sorted(n for n in os.listdir(folder) if n.startswith("ledger-")):
        with open(os.path.join(folder, name), encoding="utf-8") as segment:
            for record in map(json.loads, segment):
                if record["kind"] == "task_end":
                    ended.add(record["task"])
                elif record["kind"] == "decision" and record["verdict"] == "allow" and record["task"] in ended:
                    behind.append(record)
    return ended, behind


def barrier(service):
    """Whoever had connected to the service by now is in its books afterwards, for it takes them in turn; how many."""
    before = len(service.connections)
    sock = connect(service.address, service.port)
    port = sock.getsockname()[1]
    service.wait(lambda o: any(c.peer[1] == port for c in o.connections[before:]), timeout=120, what="the barrier")
    sock.close()
    return len(service.connections)


main(h.stop)
