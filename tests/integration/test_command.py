"""Secrets that a program tells: what the program is given and left with, how what it prints is used and kept fresh, and
what becomes of requests, and of the program, when it misbehaves."""

import json
import os
import secrets
import signal
import stat
import threading

from client import Closed
from control import ask
from holdfast import (ADDRESSES, CREDENTIAL, PROXY_UID, PUBLIC, WORKLOAD_UID, Holdfast, Workspace, forward_config, hosts, main,
                      own_network, promise)
from ops import DOOR, Page
from origin import Origin
from patience import until

own_network(ADDRESSES)
numbers = iter(range(1000))
LONG = 'timeout = "60s";'
QUICK = 'timeout = "1s";'


class Scene:
    """A service at api.test, and a directory that programs may write to; a Holdfast of its own for each promise."""

    def __init__(self):
        self.ws = Workspace()
        self.at = self.ws.directory("programs")
        os.chown(self.at, PROXY_UID, PROXY_UID)
        os.chmod(self.at, 0o755)
        self.service = Origin(PUBLIC, 443, self.ws.leaf("api.test"))
        self.canaries = []

    def path(self, name):
        return f"{self.at}/{name}"

    def write(self, name, content):
        """What a program reads: whole, or as it was before."""
        with open(self.path(name + ".new"), "w", encoding="utf-8") as f:
            f.write(content)
        os.chmod(self.path(name + ".new"), 0o644)
        os.replace(self.path(name + ".new"), self.path(name))

    def read(self, name):
        try:
            with open(self.path(name), encoding="utf-8") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def canary(self):
        self.canaries.append("canary-" + secrets.token_hex(12))
        return self.canaries[-1]

    def answer(self, **members):
        """The program's answer from now on; what its secret is."""
        secret = self.canary()
        self.write("answer", json.dumps({"token": secret, **members}))
        return secret

    def config(self, script, more=LONG, bind="bearer", field=""):
        command = json.dumps(["/bin/sh", "-c", script])
        told = f"""credentials = {{
  crm = {{ owner = "crm@example"; approved_by = "iam@example"; ticket = "SEC-103"; rotate_every = "1h"; privileges = "read"; {field}
    source = {{ kind = "command"; command = {command}; {more} }}; }};"""
        grant = f"""
  {{ name = "nightly"; owner = "tests@example"; approved_by = "security@example"; ticket = "SEC-1";
    approved_at = "2026-11-01"; expires_at = "2099-01-01"; purposes = ["testing"]; task = "required"; ttl = "1h";
    caller = {{ uid = {WORKLOAD_UID}; }};
    rules = ( {{ host = "api.test"; methods = ["GET"]; paths = ["/v1/**"]; upstream_trust = "{self.ws.ca.file}";
                credential = "crm"; bind = ["{bind}"]; inject = "always"; unbound_because = "a test"; }} ); }}"""
        inside = forward_config("", grants=grant, credentials=CREDENTIAL.replace("credentials = {", told), doors=DOOR,
                                names=hosts(api_test=PUBLIC))
        return lambda h: inside(h) + f'control = {{ socket = "{h.run}/control.sock"; }};\n'

    def start(self, script, **changed):
        for name in os.listdir(self.at):
            os.unlink(self.path(name))
        self.answer()
        h = Holdfast(self.ws, self.config(script.replace("@", self.at), **changed), name=f"h{next(numbers)}",
                     env={"HOLDFAST_CANARY": self.canary()})
        h.task = verb(h, "task_start", grant="nightly")["id"]
        return h

    def end(self):
        self.service.stop()
        self.ws.remove()


s = Scene()


def verb(h, name, **members):
    answer = ask(h.run + "/control.sock", name, **members)
    assert answer["ok"], answer
    return answer


def get(h):
    return h.get("/v1/x", target="api.test:443")


def shown(name="authorization"):
    return s.service.requests[-1].all(name)


def is_gone(pid):
    """Nobody may have buried it yet."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
            return f.read().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def group_is_gone(group):
    """No process of it is alive."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                state, _, of = f.read().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if of == str(group) and state not in "ZX":
            return False
    return True


def pid_of(name="pid"):
    return int(until(lambda: s.read(name).strip(), what="a program's process"))


def in_the_background(work):
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def tries(h):
    """A request that may be cut by Holdfast's end."""
    def work():
        try:
            get(h)
        except (OSError, AssertionError, Closed):
            pass
    return work


def helper_of(h):
    return verb(h, "status")["helper"]


def look_for_canaries(h):
    written = "\n".join(h.text)
    for name in os.listdir(f"{h.run}/ledger"):
        with open(f"{h.run}/ledger/{name}", encoding="utf-8", errors="replace") as f:
            written += f.read()
    for canary in s.canaries:
        assert canary not in written, "a secret stands in the log or in the ledger"


def stop(h):
    helper = helper_of(h)
    h.stop()
    assert is_gone(helper["pid"])
    look_for_canaries(h)


# ---- what it tells is used

@promise
def a_program_tells_the_secret_and_finds_nothing_of_ours():
    h = s.start("tr '\\0' '\\n' < /proc/$$/environ > @/environ; ls -l /proc/self/fd > @/descriptors; pwd > @/pwd; "
                "cat > @/input; echo run >> @/runs; cat @/answer")
    secret = json.loads(s.read("answer"))["token"]
    assert [get(h).status for _ in range(3)] == [200] * 3
    assert shown() == [f"Bearer {secret}"], shown()
    assert s.read("runs") == "run\n", "it is not run for each request"
    assert {li["binding"] for li in h.wait_requests(3)} == {"bearer"}
    assert s.read("environ").splitlines() == [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", "LANG=C.UTF-8",
        "HOLDFAST_CREDENTIAL=crm", "HOLDFAST_GRANT=nightly", "HOLDFAST_PURPOSE=testing", f"HOLDFAST_TASK={h.task}"]
    fds = {line.split()[-3]: line.split()[-1] for line in s.read("descriptors").splitlines()[1:]}
    assert sorted(fds) == ["0", "1", "2", "3"] and fds["0"] == "/dev/null" and fds["3"].startswith("/proc/"), fds   # 3: ls's own
    assert (s.read("pwd"), s.read("input")) == ("/\n", "")
    assert os.stat(s.path("runs")).st_uid == PROXY_UID and stat.S_IMODE(os.stat(s.path("runs")).st_mode) == 0o600
    minted = h.wait_line(lambda li: li.get("msg") == "token minted")
    assert (minted["credential"], minted["task"], minted["form"]) == ("crm", h.task, "bearer"), minted
    stop(h)


@promise
def a_secret_is_put_into_the_field_that_the_credential_names():
    h = s.start("cat @/answer", bind="header", field='header = "X-Api-Key"; prefix = "Key ";')
    assert get(h).status == 200
    assert shown("x-api-key") == ["Key " + json.loads(s.read("answer"))["token"]] and shown() == []
    stop(h)


@promise
def it_is_run_again_before_the_secret_expires_and_no_request_is_refused():
    h = s.start("cat @/answer")
    first, second = s.answer(expires_in=12), None
    assert get(h).status == 200 and shown() == [f"Bearer {first}"]
    second = s.answer(expires_in=3600)

    def is_another():
        assert get(h).status == 200
        return shown() == [f"Bearer {second}"]

    until(is_another, what="the next secret")
    stop(h)


@promise
def without_expires_in_it_is_run_again_as_the_config_says():
    h = s.start("cat @/answer", more=LONG + 'refresh_every = "4s";')
    assert get(h).status == 200
    second = s.answer()
    until(lambda: get(h).status == 200 and shown() == [f"Bearer {second}"], what="the next secret")
    stop(h)


# ---- one that misbehaves

BAD = [
    ("exits", "cat @/answer; echo what is wrong >&2; exit 3", "command_failed",
     {"status": 3, "stderr": "what is wrong"}),
    ("dies", "cat @/answer; kill -9 $$", "command_failed", {"signal": 9}),
    ("prints nothing", "true", "command_malformed", {}),
    ("prints garbage", "cat @/answer; cat @/answer", "command_malformed", {}),
    ("prints a secret with a line end", "echo '{\"token\": \"x\\\\r\\\\nX-Evil: 1\"}'", "command_malformed", {}),
    ("prints a secret that is dead", "echo '{\"token\": \"x\", \"expires_in\": 0}'", "command_malformed", {}),
    ("prints too much", "cat /dev/zero", "command_too_large", {}),
    ("hangs", "cat @/answer; sleep 1000", "command_timeout", {}),
    ("escapes", "printf 'a\\033[31m\\nb' >&2; exit 1", "command_failed", {"stderr": "a\x1b[31m\nb"}),
]


@promise
def a_program_that_misbehaves_is_told_by_its_own_reason_and_what_to_do():
    h = s.start(". @/what", more=QUICK)
    before = len(s.service.requests)
    for name, script, reason, told in BAD:
        s.write("what", script.replace("@", s.at))
        told = {"reason": reason, "command": "/bin/sh", "credential": "crm", **told}

        def is_told(line, told=told):
            return line.get("msg") == "token not minted" and line["do"] and all(line.get(k) == v for k, v in told.items())

        def refused():
            since = h.index()
            answer = get(h)
            assert answer.status in (503, 504), (name, answer.status, answer.body)
            assert b"canary" not in answer.body
            return any(is_told(li) for li in h.lines[since:])

        until(refused, what=f"{name}: {told}")
        assert h.reload()["msg"] == "config reloaded"       # nobody has to rest any more
    assert len(s.service.requests) == before, "a request left without its secret"
    s.write("what", f"cat {s.at}/answer")
    until(lambda: get(h).status == 200, what="a secret at last")
    stop(h)


@promise
def a_program_that_cannot_be_run_says_why():
    h = s.start("exec @/nowhere")
    assert get(h).status == 503
    line = h.wait_line(lambda li: li.get("msg") == "token not minted")
    assert line["reason"] == "command_failed" and line["status"] == 127, line
    stop(h)


@promise
def one_that_hangs_is_killed_with_all_that_it_has_forked():
    h = s.start("sleep 1000 & echo $! > @/child; echo $$ > @/pid; f() { f & }; f & sleep 1000", more=QUICK)
    answer = get(h)
    assert answer.status == 504, (answer.status, answer.body)
    assert h.wait_requests(1)[0]["reason"] == "command_timeout"
    if s.read("pid"):                           # it got as far as that in its time
        until(lambda: group_is_gone(pid_of()), what="the end of its group")
        assert is_gone(pid_of("child"))
    stop(h)


# ---- the end of what waits for it

@promise
def a_program_that_hangs_keeps_nobody_from_the_secret_of_another():
    crowd = range(20000, 20012)
    inside = s.config("echo $$ >> @/started; exec sleep 1000".replace("@", s.at))
    def config(h):
        told = inside(h)
        one = told[told.index('  { name = "nightly"'):told.index(" ); } );") + 5]
        credential = told[told.index("  crm = {"):told.index("  orders = {")]
        other = credential.replace("crm =", "other =").replace(f"echo $$ >> {s.at}/started; exec sleep 1000", f"cat {s.at}/answer")
        grants = [one.replace("nightly", f"n{uid}").replace(f"uid = {WORKLOAD_UID}", f"uid = {uid}") for uid in crowd]
        grants.append(one.replace('"crm"', '"other"'))
        return told.replace(one, ",".join(grants)).replace(credential, credential + other)
    for name in os.listdir(s.at):
        os.unlink(s.path(name))
    secret = s.answer()
    h = Holdfast(s.ws, config, name=f"h{next(numbers)}")
    for grant in [f"n{uid}" for uid in crowd] + ["nightly"]:
        verb(h, "task_start", grant=grant)
    waiting = [h.tls("api.test:443", uid=uid) for uid in crowd]
    for c in waiting:
        c.send(b"GET /v1/x HTTP/1.1\r\nHost: api.test\r\n\r\n")
    until(lambda: sum(state["exchanges"] for state in h._states()) == len(crowd), what="all that wait")
    until(lambda: len(s.read("started").split()) == 4, what="four programs")
    assert get(h).status == 200 and shown() == ["Bearer " + secret]
    assert len(s.read("started").split()) == 4
    for c in waiting:
        c.close()
    stop(h)


@promise
def the_end_of_a_task_ends_its_program():
    h = s.start("echo $$ > @/pid; exec sleep 1000")
    thread = in_the_background(tries(h))
    pid = pid_of()
    verb(h, "task_end", id=h.task)
    until(lambda: is_gone(pid), what="the program's end")
    thread.join()
    stop(h)


@promise
def a_killed_holdfast_takes_its_helper_and_its_programs_with_it():
    h = s.start("sleep 1000 & echo $$ > @/pid; wait")
    helper = helper_of(h)
    in_the_background(tries(h))
    pid = pid_of()
    h.kill(signal.SIGKILL)
    h.process.wait()
    until(lambda: is_gone(helper["pid"]), what="the helper's end")
    until(lambda: group_is_gone(pid), what="the program's end")


@promise
def a_helper_that_was_killed_is_told_and_its_credentials_are_unavailable():
    h = s.start("cat @/answer", more=LONG + 'refresh_every = "1h";')
    assert Page(h).get("holdfast_helper_running") == 1
    assert {c["name"]: c["state"] for c in verb(h, "status")["credentials"]} == {"crm": "ready", "orders": "ready"}
    helper = helper_of(h)
    assert helper["running"]
    os.kill(helper["pid"], signal.SIGKILL)
    h.wait_line(lambda li: "the helper process is gone" in li.get("msg", ""))
    answer = get(h)
    assert answer.status == 503, (answer.status, answer.body)
    assert h.wait_requests(1)[0]["reason"] == "command_unavailable"
    line = h.wait_line(lambda li: li.get("msg") == "token not minted")
    assert line["do"] == "restart Holdfast", line
    assert not helper_of(h)["running"]
    assert {c["name"]: c["state"] for c in verb(h, "status")["credentials"]} == {"crm": "command_unavailable", "orders": "ready"}
    assert Page(h).get("holdfast_helper_running") == 0
    h.stop()
    look_for_canaries(h)


@promise
def the_helper_holds_no_descriptor_and_no_privilege_and_a_drain_does_not_end_it():
    h = s.start("cat @/answer")
    pid = helper_of(h)["pid"]
    fds = sorted(os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd"))
    assert fds[:3] == ["/dev/null"] * 3 and len(fds) == 4 and fds[3].startswith("socket:"), fds
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
    assert status["Name"] == "holdfast-helper" and status["Threads"] == "1"
    assert status["Uid"].split() == [str(PROXY_UID)] * 4 and status["NoNewPrivs"] == "1", status
    assert int(status["CapPrm"], 16) == int(status["CapBnd"], 16) == 0, status
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGINT)
    assert get(h).status == 200
    stop(h)


if __name__ == "__main__":
    main(s.end)
