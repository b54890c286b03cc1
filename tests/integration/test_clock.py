"""The wall clock is set while Holdfast runs, forward and back: what is counted in seconds from a start stays where it was, what
is written as a date is judged by the new time, and what we sign says it."""

import datetime
import itertools
import json
import mmap
import os
import ssl
import struct
import time

import jose
from client_certs import Clients, Kept, asking
from control import ask, holdfast
from holdfast import (ADDRESSES, CREDENTIAL, Channel, Holdfast, Origin, PROXY_UID, PUBLIC, Workspace, WORKLOAD_UID, connect,
                      forward_config, gate_config, main, own_network, promise, rows)
from patience import until

own_network(ADDRESSES)

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
SHIM = os.environ["HOLDFAST_CLOCK_STEP"]
ws = Workspace()
origin = Origin(PUBLIC, 443, ws.leaf("allowed.test"))
numbers = itertools.count()


class Stepped(Holdfast):
    """One whose wall clock is ours."""

    def __init__(self, text):
        name = f"clock-{next(numbers)}"
        path = ws.file(name + ".step", b"\0" * mmap.PAGESIZE)
        with open(path, "r+b") as f:
            self.ahead = mmap.mmap(f.fileno(), mmap.PAGESIZE)
        super().__init__(ws, text, name=name, env={
            "LD_PRELOAD": SHIM, "CLOCK_STEP_FILE": path,
            "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0:verify_asan_link_order=0"})
        self.socket = self.run + "/control.sock"

    def step(self, seconds):
        """From what it is now."""
        self.ahead[:8] = struct.pack("q", struct.unpack("q", self.ahead[:8])[0] + seconds)

    def now_s(self):
        return time.time() + struct.unpack("q", self.ahead[:8])[0]

    def get_status(self, path="/run/x"):
        """The client's clock is not what is tried here, so it does not ask when a leaf is valid."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with self.tls(context=context) as c:
            answer = c.request("GET", path, "allowed.test")
        return answer.status, answer.reason

    def token(self):
        """The claims of the last one the service was shown."""
        return jose.parts(origin.requests[-1].get("workload-identity-token"))[1]

    def task(self, **terms):
        told = ask(self.socket, "task_start", grant="tests", purpose="testing", **terms)
        assert told["ok"], told
        return told

    def left_ms(self, task):
        return ask(self.socket, "task_show", id=task["id"])["left_ms"]


def start(task="required", ttl="1h", expires_in_s=3650 * DAY_S):
    expires = datetime.datetime.fromtimestamp(time.time() + expires_in_s, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    grant = f"""
  {{ name = "tests"; owner = "tests@example"; approved_by = "security@example"; ticket = "SEC-1";
    approved_at = "2020-11-01"; expires_at = "{expires}"; purposes = ["testing"]; task = "{task}"; ttl = "{ttl}";
    caller = {{ uid = {WORKLOAD_UID}; }};
    rules = ( {{ host = "allowed.test"; methods = "any"; paths = "any"; upstream_trust = "{ws.ca.file}";
                credential = "orders"; bind = ["wimse"]; inject = "always"; }} ); }}"""
    inside = forward_config("", grants=grant, credentials=CREDENTIAL, log='log = { level = "debug"; };')
    return Stepped(lambda h: inside(h) + f'control = {{ socket = "{h.run}/control.sock"; }};\n')


# Forward within what the service's certificate lasts; back to when our own CA, an hour older than its first day, was there.
STEPS = [("forward", 5 * HOUR_S), ("back", -40 * MINUTE_S)]


# ---- what is counted

@rows(STEPS)
def a_step_moves_no_tasks_deadline(row):
    h = start()
    task = h.task(ttl="30m")
    before = h.left_ms(task)
    h.step(row[1])
    until(lambda: h.get_status() == (200, None), "a token of the new time")
    assert before - 25 * 60_000 < h.left_ms(task) <= before, (before, h.left_ms(task))
    shown = ask(h.socket, "task_show", id=task["id"])
    said = datetime.datetime.fromisoformat(shown["deadline"].replace("Z", "+00:00")).timestamp()
    assert abs(said - (h.now_s() + shown["left_ms"] / 1000)) < 600, "its deadline is told by another clock"
    short = h.task(ttl="2s")
    h.step(-row[1] // 2)
    line = h.wait_line(lambda li: li.get("msg") == "task ended" and li["task"] == short["id"], timeout=120, what="the end")
    assert line["cause"] == "expired", line
    until(lambda: h.get_status() == (200, None), "a request of the task that lives")
    h.stop()


@rows(STEPS)
def a_task_that_ends_ends_in_time_whatever_the_clock_says(row):
    h = start()
    task = h.task(ttl="3s")
    h.step(row[1])
    line = h.wait_line(lambda li: li.get("msg") == "task ended" and li["task"] == task["id"], timeout=120, what="the end")
    assert line["cause"] == "expired", line
    assert h.get_status() == (403, "task_required")
    h.stop()


# ---- what is dated

@promise
def an_approval_that_the_step_has_left_behind_refuses():
    h = start(expires_in_s=DAY_S)
    task = h.task()
    assert (got := h.get_status()) == (200, None), got
    h.step(2 * DAY_S)
    seen = len(origin.requests)
    assert h.get_status() == (403, "grant_expired")
    told = ask(h.socket, "task_start", grant="tests", purpose="testing")
    assert (told["ok"], told["reason"]) == (False, "grant_expired"), told
    assert len(origin.requests) == seen
    h.step(-2 * DAY_S)
    assert h.get_status() == (200, None) and h.left_ms(task) > 0
    h.stop()


# ---- what is signed

def is_of_now(h, claims):
    """As a service sees it whose clock was set as ours."""
    return claims["iat"] <= h.now_s() + 5 and claims["exp"] > h.now_s() + 60


@rows([(f"{kind}-{name}", kind, step) for kind in ("standing", "required") for name, step in STEPS])
def the_token_is_one_of_the_new_time(row):
    h = start(task=row[1])
    if row[1] == "required":
        h.task()
    assert h.get_status() == (200, None) and is_of_now(h, h.token())
    before = h.token()
    h.step(row[2])
    assert not is_of_now(h, before), "this step is too short to be seen"
    until(lambda: h.get_status() == (200, None) and is_of_now(h, h.token()), "a token of the new time")
    if row[1] == "required":
        assert h.token()[jose.CONTEXT]["task"] == before[jose.CONTEXT]["task"]
    h.stop()


# ---- what is written

@promise
def the_ledger_goes_on_whole_through_every_step():
    h = start(task="standing")
    for step in (3 * HOUR_S, -3 * HOUR_S - 40 * MINUTE_S, 5 * DAY_S, -5 * DAY_S):
        assert h.get_status() == (200, None)
        h.step(step)
        until(lambda: h.get_status() == (200, None) and is_of_now(h, h.token()), "a token of the new time")
    h.stop()
    done = holdfast("audit", "verify", "-c", h.config_path)
    assert done.returncode == 0, done
    records = [json.loads(li) for li in holdfast("audit", "show", "--json", "-c", h.config_path).stdout.splitlines()]
    stamps = [r["ts"] for r in records]
    assert stamps != sorted(stamps), "no step was seen"
    assert sum(r["kind"] == "decision" for r in records) == len(h.requests())


@promise
def a_certificate_that_expires_on_a_connection_that_lives_on_is_worth_nothing_from_then_on():
    """To a gate; and of ours, which no service is shown any more."""
    clients, leaf = Clients(ws), ws.leaf("orders.test")
    os.chown(leaf.key, PROXY_UID, PROXY_UID)
    client = clients.make("builder.example", not_after=2)
    jwks = ws.file("jwks.json", json.dumps({"keys": [jose.Issuer().public_jwk]}))
    h = Stepped(gate_config(leaf, f"http://127.0.0.1:{origin.port}", jwks, listen="127.0.0.1:0",
                            more_door=f'accept = ["wimse", "mtls"]; clients_trust = "{clients.file}";'))
    context = ssl.create_default_context(cafile=ws.ca.file)
    context.load_cert_chain(client.leaf.certificate, client.leaf.key)
    with Channel(connect(*h.door("gate"))) as c:
        c.start_tls(context, "orders.test")
        assert c.request("GET", "/", "orders.test").reason != "client_certificate_untrusted"
        h.step(3 * DAY_S)
        answer = c.request("GET", "/", "orders.test")
        assert (answer.status, answer.reason) == (403, "client_certificate_untrusted"), answer.line
        assert c.is_closed()
    h.stop()


@promise
def a_certificate_of_ours_that_expires_is_shown_on_no_connection_that_lives_on():
    clients = Clients(ws, "services-clients")
    kept = Kept(ws, "stepped", clients.make("builder.example", not_after=2))
    rule = (f'{{ host = "allowed.test"; methods = "any"; paths = "any"; upstream_trust = "{ws.ca.file}"; '
            'credential = "shop"; bind = ["mtls"]; inject = "always"; }')
    before, origin._context = origin._context, asking(ws.leaf("allowed.test"), clients)
    h = Stepped(forward_config(rule, credentials="credentials = {" + kept.credential("shop") + "};"))
    assert (got := h.get_status()) == (200, None), got
    seen = len(origin.requests)
    h.step(3 * DAY_S)
    assert (got := h.get_status()) == (503, "client_certificate_expired"), got
    assert len(origin.requests) == seen
    origin._context = before
    h.stop()


main(ws.remove)
