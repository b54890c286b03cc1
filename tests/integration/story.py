"""What ./demo tells: Holdfast beside a workload, a gate in front of a service, a thief, and a fake metadata service, all in a
network of their own. Prints a numbered story with PASS and FAIL; exits 0 only when every step passed."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import textwrap
import time
import traceback
from urllib.parse import urlsplit

import sockets
import story_oauth
import strangers
from control import holdfast
from holdfast import (BINARY, CREDENTIAL, METADATA, OTHER_UID, PROXY_UID, WORKLOAD_UID, Holdfast, Origin, Trap, Workspace, curl,
                      grant, leave, own_network, run_as)

GATE, REPORTS, BOARD, CALLS = "10.20.0.10", "10.20.0.20", "10.20.0.30", "10.20.0.40"
METADATA_REASONS = ("address_prohibited", "host_numeric")
TASK_GRANT, PURPOSE = "monthly-export", "month-end"
SLOW = int(os.environ.get("HOLDFAST_SLOW", "1"))     # a test's machine may be that many times slower than promised
WIDTH = 140
WORKLOADS_OWN = "Bearer the-workloads-own-idea"
BOLD, GREEN, RED, PLAIN = ("\033[1m", "\033[32m", "\033[31m", "\033[0m") if sys.stdout.isatty() else ("", "", "", "")


class Story:
    def __init__(self):
        self.step, self.failed, self.left_out = 0, 0, 0

    def next(self, title):
        self.step += 1
        print(f"\n{BOLD}{self.step}. {title}{PLAIN}")

    def check(self, holds, what):
        self.failed += not holds
        print(f"   {GREEN + 'PASS' if holds else RED + 'FAIL'}{PLAIN}  {what}")

    def show(self, text):
        print(f"         {text}")

    def leave_out(self, why):
        self.left_out += 1
        print(f"   LEFT OUT: {why}")


# What the workload runs: any WebSocket client, told of the proxy as others are.
WATCH = """
import asyncio, base64, os, socket, ssl, urllib.parse, websockets
proxy = urllib.parse.urlsplit(os.environ["HTTPS_PROXY"])
tunnel = socket.create_connection((proxy.hostname, proxy.port))
who = base64.b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()
tunnel.sendall(f"CONNECT orders.example:443 HTTP/1.1\\r\\nHost: orders.example:443\\r\\nProxy-Authorization: Basic {who}\\r\\n\\r\\n".encode())
assert b" 200 " in tunnel.recv(4096)
tunnel.setblocking(False)
async def watch():
    tls = ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])
    async with websockets.connect("wss://orders.example/v1/live", sock=tunnel, ssl=tls, server_hostname="orders.example") as live:
        await live.send("order 7?")
        print(await live.recv(), flush=True)
        await live.wait_closed()
        print("the socket is gone, close code", live.close_code, flush=True)
asyncio.run(watch())
"""


class LeakyService:
    """Orders, which writes down everything it is sent: the record the thief will read."""

    def __init__(self):
        self.record = []
        self._origin = Origin("127.0.0.1", 0, answer=self._answer)
        self.url = f"http://127.0.0.1:{self._origin.port}"

    def _answer(self, connection, request):
        connection.read_body(request)
        self.record.append(request)
        if request.get("upgrade"):
            return self._talk(connection, request)
        connection.reply(200, json.dumps({"order": request.target.rpartition("/")[2], "state": "shipped"}),
                         [("Content-Type", "application/json")])


    @staticmethod
    def _talk(connection, request):
        connection.send(sockets.acceptance(request))
        while (message := sockets.read_frame(connection)) is not None:
            connection.send(sockets.answer_frame(message[0], message[1].replace(b"?", b" is on its way")))
        return True


class Command:
    """A shell as the life of a task: `holdfast exec` runs it as the workload, with its task's own environment. It is given lines to
    run, and exits when there are no more."""

    def __init__(self, stage, grant=TASK_GRANT, purpose=PURPOSE):
        self.stage = stage
        words = ["--grant", grant, "--purpose", purpose, "--ttl", "10m", "--", "sh"]
        self.words = " ".join(words)
        self.process = subprocess.Popen([BINARY, "exec", "-c", stage.sidecar.config_path, *words], text=True, cwd="/",
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.proxy, self.handle = self.run('echo "$HTTPS_PROXY $BOARD_TOKEN"').split(" ")
        self.task = urlsplit(self.proxy).username

    def run(self, line):
        """What it prints: one line."""
        self.process.stdin.write(f'echo "$({line})"\n')
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def begin(self, line):
        """In the background, where it outlives the shell: what comes of it is told on standard error."""
        self.process.stdin.write("{ " + line + "; } >&2 &\n")
        self.process.stdin.flush()
        return self.process.stderr.readline().strip()

    def end(self):
        """The shell exits; the task's end, as the log tells it."""
        self.process.stdin.close()
        self.process.wait()
        return self.stage.sidecar.wait_line(lambda li: li.get("msg") == "task ended" and li["task"] == self.task, what="the end")


def rule(host, paths, more=""):
    return f'{{ host = "{host}"; methods = ["GET", "POST"]; paths = {paths}; {more} }}'


class Stage:
    def __init__(self):
        self.ws = Workspace()
        self.orders = LeakyService()
        self.reports = Origin(REPORTS, 443, self.ws.leaf("reports.example"),
                              answer=lambda c, r: c.read_body(r) and None or c.reply(200, "all quiet\n"))
        self.board = Origin(BOARD, 443, self.ws.leaf("board.example"), answer=self.show_cards)
        self.secret = "brd_" + secrets.token_hex(16)
        self.secret_file = self.ws.file("board-token", self.secret + "\n", mode=0o400, owner=PROXY_UID)
        self.calls = strangers.grpcio_service(self.ws, "127.0.0.1:0")
        self.books = story_oauth.Books(self.ws)
        self.metadata = Trap(METADATA, 80)
        self.trust = f'upstream_trust = "{self.ws.ca.file}";'
        self.sidecar = Holdfast(self.ws, self.sidecar_config([]), name="sidecar")
        self.gate = Holdfast(self.ws, self.gate_config(), name="gate")

    def show_cards(self, connection, request):
        connection.read_body(request)
        if request.all("authorization") != [f"Bearer {self.secret}"]:
            connection.reply(401, "no such token\n")
        elif request.target == "/export/all":       # a download without an end
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n12\r\nexport of board 1\n\r\n")
            connection.read()
        else:
            connection.reply(200, "3 cards\n")

    @property
    def ledger(self):
        return f"{self.sidecar.run}/ledger"

    def sidecar_config(self, added):
        with_token = ('credential = "board"; bind = ["bearer"]; unbound_because = "it takes bearer tokens only";'
                      f' addresses = ["{BOARD}"]; {self.trust}')
        live = rule("orders.example", '["/v1/live"]', 'websocket = true; credential = "orders"; bind = ["wimse"]; inject = "always";'
                    f' addresses = ["{GATE}"]; {self.trust}')
        export = f"""
  {{ name = "{TASK_GRANT}"; owner = "board-team@example"; approved_by = "security@example"; ticket = "SEC-125";
    approved_at = "2026-11-01"; expires_at = "2099-01-01"; purposes = ["{PURPOSE}"]; task = "required"; ttl = "15m";
    caller = {{ uid = {WORKLOAD_UID}; }}; rules = ( {rule("board.example", '["/export/**"]', with_token)}, {live} ); }}"""
        rules = [rule("orders.example", '["/v1/orders/**"]', 'credential = "orders"; bind = ["wimse"]; inject = "always";'
                      f' addresses = ["{GATE}"]; {self.trust}'),
                 rule("board.example", '["/cards"]', with_token),
                 rule("calls.example", '["/calls.Calls/Talk"]', 'credential = "orders"; bind = ["wimse"]; inject = "always";'
                      f' addresses = ["{CALLS}"]; {self.trust}'),
                 rule("innocent.example", '"any"', "port = 80; scheme = \"http\";"), *added]
        board = f"""
  board = {{ owner = "platform@example"; approved_by = "iam@example"; ticket = "SEC-102"; rotate_every = "30d";
            privileges = "read the board"; source = {{ kind = "file"; path = "{self.secret_file}"; }};
            handle = {{ shape = "brd_{{32}}"; env = "BOARD_TOKEN"; }}; }};{self.books.credential()}
}};"""
        return lambda h: f"""
workload = {{ id = "spiffe://prod.example/ns/agents/sa/builder"; uid = {WORKLOAD_UID}; }};
user = "{PROXY_UID}";
ca = {{ keep = "{h.run}/ca"; publish = "{h.run}/public"; }};
authority = {{ keep = "{h.run}/authority"; name = "prod.example"; }};
ledger = {{ keep = "{h.run}/ledger"; }};
resolver = {{ hosts = (
  {{ name = "orders.example"; addresses = ["{GATE}"]; }},
  {{ name = "reports.example"; addresses = ["{REPORTS}"]; }},
  {{ name = "board.example"; addresses = ["{BOARD}"]; }}, {{ name = "calls.example"; addresses = ["{CALLS}"]; }},
  {{ name = "innocent.example"; addresses = ["{METADATA}"]; }}{self.books.hosts()}
); }};
control = {{ socket = "{h.run}/control.sock"; }};
deny_detail = "hint";
doors = ( {{ kind = "forward"; listen = "127.0.0.1:0"; }} );
{CREDENTIAL.rstrip().removesuffix("};")}{board}
grants = ( {grant(", ".join(rules), name="nightly-orders")}, {export}{self.books.grant(self.trust)} );
"""

    def gate_config(self):
        leaf = self.ws.leaf("orders.example", "calls.example")
        os.chown(leaf.key, PROXY_UID, PROXY_UID)
        jwks = self.ws.file("prod.jwks.json", open(self.sidecar.jwks, "rb").read())

        def door(address, name, upstream, rules, more=""):
            return f"""{{ kind = "gate"; listen = "{address}:443"; certificate = "{leaf.certificate}"; key = "{leaf.key}";
    names = ["https://{name}"]; upstream = "{upstream}"; keep_proof = true; {more}
    trust = ( {{ domain = "prod.example"; jwks_file = "{jwks}"; subjects = ["spiffe://prod.example/ns/agents/*"]; }} );
    rules = ( {rules} ); }}"""
        standing = 'subjects = "any"; grants = ["nightly-orders"]; purposes = ["testing"];'
        orders = f"""{{ methods = ["GET", "POST", "DELETE"]; paths = ["/v1/orders/**"]; {standing} }},
              {{ methods = ["GET"]; paths = ["/v1/live"]; subjects = "any";
                grants = ["{TASK_GRANT}"]; purposes = ["{PURPOSE}"]; websocket = true; }}"""
        calls = f'{{ methods = ["POST"]; paths = ["/calls.Calls/*"]; {standing} }}'
        return f"""
user = "{PROXY_UID}";
doors = (
  {door(GATE, "orders.example", self.orders.url, orders)},
  {door(CALLS, "calls.example", f"http://127.0.0.1:{self.calls.port}", calls, 'upstream_http = "2";')}{self.books.door()}
);
{self.books.gate_hosts()}
"""

    def command(self, *words):
        return Command(self, *words)

    def workload(self, *arguments, uid=WORKLOAD_UID, proxy=None):
        """The workload's only way out: curl under its own uid, through Holdfast."""
        done = curl(proxy or self.sidecar.proxy, self.sidecar.bundle, "-w", "\n%{http_code}", *arguments, uid=uid)
        body, _, code = done.stdout.decode("utf-8", "replace").rpartition("\n")
        return int(code or 0), body, done.stderr.decode("utf-8", "replace").strip()

    def variables(self):
        """What the workload is given beside the CA: variables to put into its environment."""
        with open(os.path.join(self.sidecar.publish, "handles.env"), encoding="ascii") as f:
            return dict(line.rstrip("\n").split("=", 1) for line in f)

    def thief(self, method, path, fields):
        """Somebody elsewhere, who has read the service's record: straight to the gate."""
        more = [part for field in fields for part in ("-H", field)]
        done = run_as(OTHER_UID, ["curl", "-sS", "--max-time", "10", "-X", method, "--cacert", self.ws.ca.file,
                                  "--resolve", f"orders.example:443:{GATE}", *more, f"https://orders.example{path}"])
        return problem(done.stdout.decode("utf-8", "replace"))

    def end(self):
        for process in (self.sidecar, self.gate):
            if process.process.poll() is None:
                process.stop()
        self.ws.remove()


def problem(body):
    try:
        return json.loads(body)
    except ValueError:
        return {}


def allowed_call(story, stage):
    story.next("The workload calls a service it may call, holding no secret")
    code, body, error = stage.workload("-H", f"Authorization: {WORKLOADS_OWN}", "https://orders.example/v1/orders/7")
    story.show(f"curl https://orders.example/v1/orders/7  ->  {code} {body or error}")
    story.check(code == 200, "the service answered")
    keys = run_as(WORKLOAD_UID, ["cat", f"{stage.sidecar.run}/ca/ca.key", f"{stage.sidecar.run}/authority/authority.key"])
    story.check(keys.returncode != 0 and not keys.stdout, "the workload cannot read one key of Holdfast's")
    memory = run_as(WORKLOAD_UID, ["cat", f"/proc/{stage.sidecar.pid}/environ", f"/proc/{stage.sidecar.pid}/maps"])
    story.check(memory.returncode != 0 and not memory.stdout, "nor its environment, nor its memory's map")


def what_the_service_saw(story, stage):
    story.next("What the service saw: a token bound to this task and this request")
    request = stage.orders.record[-1]
    line = stage.sidecar.wait_requests(1)[-1]
    for name in ("workload-identity-token", "workload-proof-token"):
        story.show(f"{name}: {(request.get(name) or '(none)')[:60]}...")
    story.check(bool(request.get("workload-identity-token") and request.get("workload-proof-token")),
                "a Workload-Identity-Token, and a Workload-Proof-Token for this one request")
    story.check(request.get("authorization") is None, "nothing of the workload's own Authorization")
    story.check([s.lower() for s in line.get("stripped", [])] == ["authorization"] and bool(line.get("proof")),
                f"Holdfast's log: grant={line.get('grant')} stripped={line.get('stripped')} proof={line.get('proof')}")
    told = {n: v for n, v in request.fields if n.startswith("x-holdfast-")}
    story.check(bool(told), f"and the gate told it who asks: {', '.join(sorted(told)) or '(nothing)'}")


def stolen(story, stage):
    story.next("A thief copies that very token and proof, and tries them from elsewhere")
    request = stage.orders.record[-1]
    wit = f"Workload-Identity-Token: {request.get('workload-identity-token')}"
    wpt = f"Workload-Proof-Token: {request.get('workload-proof-token')}"
    served = len(stage.orders.record)
    for what, reason, method, path, fields in (
            ("the same request again", "proof_replayed", "GET", "/v1/orders/7", [wit, wpt]),
            ("another path", "proof_audience", "GET", "/v1/orders/8", [wit, wpt]),
            ("another method", "proof_method", "DELETE", "/v1/orders/7", [wit, wpt]),
            ("the token without a proof", "proof_missing", "GET", "/v1/orders/7", [wit])):
        answer = stage.thief(method, path, fields)
        story.check(answer.get("reason") == reason,
                    f"{what}: {answer.get('status')} {answer.get('reason')}: {answer.get('detail')}")
    story.check(len(stage.orders.record) == served, "the service was asked nothing of it")


def metadata(story, stage):
    story.next("The workload tries the metadata service, by five spellings")
    run_as(0, ["curl", "-s", f"http://{METADATA}/"])
    story.check(stage.metadata.visits == 1, "(the fake metadata service is there, and counts: our own knock was its first)")
    stage.metadata.forget()
    for spelling in (METADATA, "2852039166", "0xa9fea9fe", "[::ffff:a9fe:a9fe]", "innocent.example"):
        # curl would rewrite 2852039166 into dots itself: such a spelling is given to CONNECT alone
        host = spelling if ".169." in spelling or ":" in spelling else "innocent.example"
        since = stage.sidecar.index()
        code, body, error = stage.workload("-p", "--connect-to", f"::{spelling}:80", f"http://{host}/latest/")
        told = stage.sidecar.wait_requests(1, since)[-1]["reason"]
        note = "  (a name a rule allows, resolving there)" if spelling == "innocent.example" else ""
        story.check("not be here" not in body and ("response 400" in error or code == 403) and told in METADATA_REASONS,
                    f"CONNECT {spelling}:80: {told}{note}")
    story.check(stage.metadata.visits == 0, "connections at the metadata service: 0")


def off_policy(story, stage):
    story.next("A host that no rule names")
    code, body, error = stage.workload("https://reports.example/daily")
    answer = problem(body)
    story.check(code == 403 and answer.get("reason") == "host_not_allowed",
                f"{code} {answer.get('reason')}: {answer.get('detail') or error}")
    story.check(not stage.reports.connections, "connections at that host: 0")


def broken_config(story, stage):
    story.next("The operator saves a broken config and sends SIGHUP")
    line = stage.sidecar.reload(lambda h: stage.sidecar_config([])(h).replace("methods =", "methdos ="))
    errors = [li.get("msg", "") for li in stage.sidecar.lines if "methdos" in json.dumps(li)]
    story.show(errors[0] if errors else "(no error told)")
    story.check(line["msg"] == "config rejected" and bool(errors), "rejected, each error with its file and line")
    code, _, error = stage.workload("https://orders.example/v1/orders/9")
    story.check(code == 200, f"the allowed call still works: {code} {error}")
    code, _, _ = stage.workload("https://reports.example/daily")
    story.check(code == 403, f"the refused one is still refused: {code}")


def fixed_config(story, stage):
    story.next("The operator fixes it, adds a rule for that host, and sends SIGHUP")
    added = rule("reports.example", '["/daily"]', f'addresses = ["{REPORTS}"]; {stage.trust}')
    line = stage.sidecar.reload(stage.sidecar_config([added]))
    story.check(line["msg"] == "config reloaded", f"{line['msg']}, generation {line.get('generation')}")
    code, body, error = stage.workload("https://reports.example/daily")
    story.check(code == 200, f"the call of step 5 goes through: {code} {body.strip() or error}")


def finds(text, uid, *folders):
    """Whether this uid finds the text in a file it can read, or in a process it can look into."""
    script = "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null; find \"$@\" -type f -exec cat {} + 2>/dev/null"
    return text.encode() in run_as(uid, ["sh", "-c", script, "sh", *folders]).stdout


def handle(story, stage):
    story.next("A service that takes bearer tokens only: the workload holds a handle in the token's place")
    token, url = stage.variables()["BOARD_TOKEN"], "https://board.example/cards"
    carry = ["-H", f"Authorization: Bearer {token}"]
    code, body, error = stage.workload(*carry, url)
    got = [r.get("authorization") for r in stage.board.requests]
    story.show(f'curl -H "Authorization: Bearer $BOARD_TOKEN" {url}  ->  {code} {body.strip() or error}')
    story.check(code == 200 and got == [f"Bearer {stage.secret}"], "the service got the real secret")
    found = finds(stage.secret, WORKLOAD_UID, stage.ws.path) or stage.secret in body + "".join(stage.sidecar.text)
    story.check(token != stage.secret and not found,
                "the workload never did: not in its environment, its files, the answer or the log")
    since = stage.sidecar.index()
    for what, reason, place, uid in (("another service", "handle_misplaced", "https://orders.example/v1/orders/7", WORKLOAD_UID),
                                     ("another process", "foreign_handle", url, OTHER_UID)):
        answer = problem(stage.workload(*carry, place, uid=uid)[1])
        story.check(answer.get("reason") == reason,
                    f"the handle at {what}: {answer.get('status')} {answer.get('reason')}: {answer.get('detail')}")
    done = run_as(OTHER_UID, ["curl", "-sS", "--cacert", stage.ws.ca.file, "--resolve", f"board.example:443:{BOARD}", "-w",
                              "%{http_code}", *carry, url])
    said = done.stdout.decode().replace("\n", " ")
    story.check(said == "no such token 401", f"the handle straight at the service: {said}")
    told = stage.sidecar.lines[since:stage.sidecar.mark()]
    kinds = [li["kind"] for li in told if li.get("msg") == "alarm"]
    story.check(kinds == ["handle_misplaced", "foreign_handle"], f"and each try raised an alarm in the log: {', '.join(kinds)}")


CALL = 'curl -sS --max-time 60 -H "Authorization: Bearer $BOARD_TOKEN" https://board.example/export/'


def task(story, stage):
    story.next("A task: it is started, works, and ends")
    answer = problem(stage.workload("https://board.example/export/7")[1])
    story.check(answer.get("reason") == "task_required",
                f"without one: {answer.get('status')} {answer.get('reason')}: {answer.get('detail')}")
    command = Command(stage)
    story.show(f"holdfast exec {command.words}  ->  task {command.task}")
    said = command.run(f"{CALL}7")
    story.check(said == "3 cards", f"its command calls the service: {said}")
    said = command.begin(f"{CALL}all -N")
    story.check(said == "export of board 1", f"and leaves a download running: {said}")
    begun = time.monotonic()
    line = command.end()
    broken = command.process.stderr.readline().strip()
    ms = (time.monotonic() - begun) * 1000
    story.check((line["cause"], line["allowed"], line["cut"]) == ("finished", 2, 1),
                f"the command exits, and its task has ended: {line['cause']}, {line['allowed']} requests allowed, {line['cut']} cut")
    story.check(re.match(r"curl: \((18|56)\)", broken) and ms <= 100 * SLOW,
                f"the download broke off {ms:.0f} ms later (promised: 100)")
    story.show(broken)
    carry = ["-H", f"Authorization: Bearer {command.handle}", "https://board.example/export/7"]
    since = stage.sidecar.index()
    error = stage.workload(*carry, proxy=command.proxy)[2]
    told = stage.sidecar.wait_requests(1, since)[-1]
    story.check("response 407" in error and told["reason"] == "proxy_credential",
                f"the same call a moment later: {told['status']} {told['reason']}")
    answer = problem(stage.workload(*carry)[1])
    story.check(answer.get("reason") == "ended_handle",
                f"and without the task's password: {answer.get('status')} {answer.get('reason')}: {answer.get('detail')}")


def copied_handle(story, stage):
    story.next("A handle of the next task is copied to another process")
    command = Command(stage)
    story.check(command.run(f"{CALL}8") == "3 cards", "in its own task it is worth the token")
    since = stage.sidecar.index()
    carry = ["-H", f"Authorization: Bearer {command.handle}", "https://board.example/export/8"]
    answer = problem(stage.workload(*carry, uid=OTHER_UID)[1])
    story.check(answer.get("reason") == "foreign_handle",
                f"at a process of another uid: {answer.get('status')} {answer.get('reason')}: {answer.get('detail')}")
    told = [li for li in stage.sidecar.lines[since:stage.sidecar.mark()] if li.get("msg") == "alarm"]
    story.check([(li["kind"], li["uid"]) for li in told] == [("foreign_handle", OTHER_UID)],
                f"which raised an alarm in the log: {', '.join(li['kind'] + ' of uid ' + str(li['uid']) for li in told)}")
    story.check(command.run(f"{CALL}9") == "3 cards", "the task itself goes on")
    command.end()


def live_socket(story, stage):
    story.next("A WebSocket, through both: the handshake is proved, and the end of its task cuts it")
    command = Command(stage)
    script = stage.ws.file("watch.py", WATCH)
    said = command.begin(f"/usr/bin/python3 {script}")
    story.check(said == "order 7 is on its way", f"the workload asks over wss://orders.example/v1/live: {said}")
    request = stage.orders.record[-1]
    wit, wpt = (request.get(f"workload-{kind}-token") for kind in ("identity", "proof"))
    story.check(bool(wit and wpt), "its handshake came with a token and a proof of its own")
    opening = [f"{n}: {v}" for n, v in sockets.fields()]
    answer = stage.thief("GET", "/v1/live", [f"Workload-Identity-Token: {wit}", f"Workload-Proof-Token: {wpt}", *opening])
    story.check(answer.get("reason") == "proof_replayed", f"a thief who copies them: {answer.get('status')} {answer.get('reason')}")
    line = command.end()
    gone = command.process.stderr.readline().strip()
    story.check((line["cause"], line["cut"]) == ("finished", 1) and gone.endswith("1006"), f"the command exits: {gone}")


def grpc_call(story, stage):
    story.next("gRPC, through both: a conversation in one stream, with a token of its own")

    def call(what, count):
        return strangers.grpcio(stage.ws, stage.sidecar.proxy, stage.sidecar.ca, "calls.example:443", what, count)
    seen = call("Talk", 100)
    story.check((seen["codes"], seen["notes"], seen["inOrder"]) == ({"0": 1}, 100, True),
                f"/calls.Calls/Talk: {seen['notes']} messages there and back, each before the next; status 0")
    (told,) = stage.calls.wait_calls(1)
    sent, taken = (h.wait_line(lambda li: li.get("path") == told["path"], what="the call") for h in (stage.sidecar, stage.gate))
    story.check(all(told.tokens) and sent["proof"] == taken["proof"],
                "the service got a token and a proof, and the gate's log tells of the same one")
    seen = call("Once", 1)
    story.check(seen["codes"] == {"7": 1} and "path_not_allowed" in seen["details"],
                f"a method that no rule names: status {', '.join(seen['codes'])} path_not_allowed")
    story.check(len(stage.calls.calls) == 1, "of which the service heard nothing")


def audit(verb, ledger, *options):
    return holdfast("audit", verb, "--ledger", ledger, *options)


def report(story, stage):
    story.next("Holdfast stops, and an auditor asks its ledger what was done under that grant")
    stage.sidecar.stop()
    told = audit("report", stage.ledger, "--grant", TASK_GRANT)
    for line in told.stdout.splitlines():
        for part in textwrap.wrap(line, WIDTH, subsequent_indent=" " * 15):
            story.show(part)
    page = re.sub(r" +", " ", told.stdout)
    for what, count, words in (
            ("who owned and approved the grant", 1, "owner=board-team@example approved_by=security@example ticket=SEC-125"),
            ("who owned and approved the credential", 1, "owner=platform@example approved_by=iam@example ticket=SEC-102"),
            ("what was reached, and how often", 1, "reached to=board.example:443 method=GET ×4"),
            ("how each of the three tasks ended", 3, "cause=finished")):
        story.check(told.returncode == 0 and page.count(words) == count, f"it says {what}")
    whole = audit("verify", stage.ledger)
    story.check(whole.returncode == 0, f"audit verify: {whole.stdout.splitlines()[-1]}")


def flipped_byte(story, stage):
    story.next("Somebody changes one byte of a copy of the ledger: a call of /export/8 becomes one of /export/9")
    copy = shutil.copytree(stage.ledger, os.path.join(stage.ws.path, "copy"))
    with open(os.path.join(copy, "ledger-00000001.jsonl"), "r+b") as f:
        before, call, _ = f.read().partition(b"/export/8")
        f.seek(len(before + call) - 1)
        f.write(b"9")
    line = before.count(b"\n") + 1
    told = audit("verify", copy)
    first, *_, last = told.stdout.splitlines()
    story.check(told.returncode == 1 and first.startswith(f"ledger-00000001.jsonl:{line}: record {line}: changed"), first)
    story.check(last == "1 fault", f"audit verify: {last}, exit {told.returncode}")


def main():
    begun = time.monotonic()
    own_network([GATE, REPORTS, BOARD, CALLS, METADATA, *story_oauth.ADDRESSES])
    story = Story()
    stage = Stage()
    try:
        for part in (allowed_call, what_the_service_saw, stolen, metadata, off_policy, broken_config, fixed_config, handle,
                     task, copied_handle, live_socket, grpc_call, story_oauth.bound_token, story_oauth.stolen_token, report,
                     flipped_byte):
            part(story, stage)
    finally:
        print()
        stage.end()
    verdict = "all passed" if story.failed == 0 else f"{story.failed} FAILED"
    if story.left_out:
        verdict += f", {story.left_out} left out"
    print(f"{BOLD}{story.step} steps, {verdict}{PLAIN}, in {time.monotonic() - begun:.1f} s. Nothing left this machine.")
    return story.failed == 0 and story.step == 16


if __name__ == "__main__":
    try:
        ok = main()
    except Exception:
        traceback.print_exc()
        ok = False
    leave(0 if ok else 1)
