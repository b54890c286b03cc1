"""The ops door: probes and scrapes are answered whatever the workers do, their figures agree with what clients did, and
nothing can be changed or learned there."""

import collections
import os
import re
import signal
import socket
import ssl
import threading
import time

from control import holdfast
from h2_origin import tunnel
from holdfast import (ADDRESSES, OTHER_UID, PRIVATE, PROXY_UID, PUBLIC, PUBLIC2, ROOT, Channel, Holdfast, Origin, Sidecar, Skip,
                      echo, gate_config, grant, hosts, main, own_network, promise, rows, run_as)
from ops import DOOR, Page, ask, promtool
from patience import until

own_network(ADDRESSES)
HOST = "allowed.test"
NAMES = hosts(allowed_test=PUBLIC, denied_test=PUBLIC2, rebind_test=PRIVATE, ops_test="127.0.0.1")
CALM = 'worker_stuck = "1h"; '      # however slow this machine is: no worker is stuck
s = Sidecar(doors=DOOR, names=NAMES, limits=CALM)
BOUND = s.rule(paths='["/bound/*"]', more='credential = "orders"; bind = ["wimse"]; inject = "always";')
FREE = s.rule(paths='["/free/*"]')
REBIND = s.rule("rebind.test")
RULES = f"{BOUND}, {FREE}, {REBIND}"
s.h.reload(s.config(rules=RULES))


def raw(h, data, half_close=True):
    """What the ops door says to these bytes until it closes."""
    with socket.create_connection(h.door("ops"), timeout=60) as c:
        c.sendall(data)
        if half_close:
            c.shutdown(socket.SHUT_WR)
        got = b""
        while piece := c.recv(65536):
            got += piece
    return got


# ---- traffic of every kind, and how many answers it had

def mixed_traffic():
    """What a client of ours does: (requests it had an answer to, TLS connections it made)."""
    answers, handshakes = [], 0
    for path in ["/bound/a", "/bound/b", "/bound/c?token=abc", "/free/a", "/free/b", "/elsewhere"]:
        answers.append(s.h.get(path, fields=[("Authorization", "Bearer workload"), ("Cookie", "a=b")]).status)
        handshakes += 1
    with s.h.tls() as c:
        handshakes += 1
        for _ in range(5):
            answers.append(c.request("GET", "/bound/kept", HOST).status)
        c.send(f"POST /bound/a HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc")
        answers.append(c.read_answer("POST").status)
    for target in ["denied.test:443", "rebind.test:443", "metadata.google.internal:443"]:
        answers.append(s.h.get("/", target).status)
        handshakes += 1
    with s.h.tls() as c:
        handshakes += 1
        answers.append(c.request("GET", "/free/a", "denied.test").status)
    return answers, handshakes


@promise
def promtool_has_nothing_to_say_of_a_page_after_mixed_traffic():
    mixed_traffic()
    s.h.mark()
    code, said = promtool("check", "metrics", data=Page(s.h).text.encode())
    assert (code, said.strip()) == (0, ""), said


@promise
def the_figures_agree_with_the_client_the_service_and_the_log():
    before, mark = Page(s.h), s.mark()
    answers, handshakes = mixed_traffic()
    s.h.mark()
    lines = s.h.requests(mark[0])
    tunnels = [li for li in lines if li.get("method") == "CONNECT"]
    served = s.origin.requests[mark[1]:]
    page = Page(s.h)
    told = page.since(before)

    def count(name, **labels):
        return page.total(name, **labels) - before.total(name, **labels)

    # by reason and by decision, as the log has them
    reasons = collections.Counter(li["reason"] for li in lines)
    assert reasons == {dict(ls)["reason"]: n for (name, ls), n in told.items() if name == "holdfast_requests_total"}, told
    assert count("holdfast_requests_total") == len(lines) == len(answers) + len(tunnels)
    assert count("holdfast_requests_total", decision="allow") == reasons["ok"]
    assert count("holdfast_request_duration_seconds_count") == len(lines)
    grants = collections.Counter(li.get("grant") for li in lines)
    assert count("holdfast_grant_requests_total", grant="tests") == grants["tests"], (grants, told)
    # as the service saw them
    bound = [r for r in served if r.get("workload-proof-token")]
    assert len(bound) == 8 and answers.count(200) == len(served)
    assert count("holdfast_presented_total", binding="wimse") == len(bound)
    assert count("holdfast_tokens_issued_total", kind="wpt") == len(bound)
    assert count("holdfast_upstream_connections_opened_total") + count("holdfast_upstream_connections_reused_total") \
        - count("holdfast_upstream_connections_retried_total") == len(served)
    assert count("holdfast_upstream_connect_seconds_count") == count("holdfast_upstream_connections_opened_total") \
        == count("holdfast_handshakes_total", side="upstream", result="ok")
    assert count("holdfast_http_requests_total", side="client", version="1.1") == len(lines) \
        == sum(li["http"] == "1.1" for li in lines)
    assert count("holdfast_http_requests_total", side="upstream", version="1.1") == len(served) \
        == sum(li.get("up_http") == "1.1" for li in lines)
    # as the client did
    assert count("holdfast_handshakes_total", side="client", result="ok") == handshakes
    assert count("holdfast_leaf_cache_hits_total") + count("holdfast_leaf_cache_misses_total") \
        + count("holdfast_handshakes_resumed_total", side="client") == handshakes
    assert count("holdfast_connections_accepted_total") == handshakes
    stripped = collections.Counter(n for li in lines for n in li.get("stripped", []))
    assert stripped["cookie"] == count("holdfast_credentials_stripped_total", location="cookie") == 5
    assert stripped["authorization"] == 5 <= count("holdfast_credentials_stripped_total", location="header")
    assert stripped["?token"] == count("holdfast_credentials_stripped_total", location="query") == 1
    for blocked, n in {"offpolicy": 2, "rebind": 1, "smuggling": 1, "metadata": 1, "fronting": 1}.items():
        assert count("holdfast_blocked_total", **{"class": blocked}) == n, blocked
    # what flowed: bodies and heads of both ways
    for side in ("client", "upstream"):
        for direction in ("in", "out"):
            assert count("holdfast_bytes_total", side=side, direction=direction) > 0


@promise
def gauges_follow_connections_as_they_come_and_go():
    kept = [s.h.tls() for _ in range(7)]
    for c in kept:
        assert c.request("GET", "/free/a", HOST).status == 200
    until(lambda: Page(s.h).total("holdfast_open_connections") == 7, what="seven open connections")
    assert Page(s.h).get("holdfast_handshakes_in_progress") == 0
    until(lambda: Page(s.h).get("holdfast_requests_in_progress") == 0, what="seven answers that are over")
    kept[0].send(b"POST /free/a HTTP/1.1\r\n")
    until(lambda: Page(s.h).get("holdfast_requests_in_progress") == 1, what="a request that goes on")
    for c in kept:
        c.close()
    until(lambda: Page(s.h).total("holdfast_open_connections") == 0, what="no open connection")
    until(lambda: Page(s.h).get("holdfast_requests_in_progress") == 0, what="no request")
    until(lambda: Page(s.h).total("holdfast_upstream_connections_idle") > 0, what="an idle upstream connection")
    page = Page(s.h)
    for worker in ("0", "1"):
        assert page.get("holdfast_heartbeat_age_seconds", worker=worker) < 600
        assert page.get("holdfast_loop_delay_seconds_count", worker=worker) > 0
    assert page.get("holdfast_generations_alive") >= 1
    assert 0 < page.get("process_open_fds") < page.get("process_max_fds")
    assert page.get("process_resident_memory_bytes") > 1 << 20
    assert page.get("process_start_time_seconds") > 1.7e9


@promise
def a_stream_that_its_client_takes_back_is_counted_and_is_over():
    before, mark = Page(s.h), s.h.mark()
    asked, over = threading.Event(), threading.Event()

    def keep_waiting(connection, request):
        asked.set()
        over.wait()

    s.origin.answer = keep_waiting
    with tunnel(s.h) as peer:
        stream = peer.request("GET", "/free/never", HOST)
        assert asked.wait(120)
        until(lambda: Page(s.h).get("holdfast_requests_in_progress") == 1, what="no other that goes on")
        stream.cancel()
        (line,) = s.h.wait_requests(1, mark)
    over.set()
    s.origin.answer = echo
    assert (line["http"], line["reason"]) == ("2", "client_gone"), line
    told = Page(s.h).since(before)
    lost = {dict(ls)["side"]: n for (name, ls), n in told.items() if name == "holdfast_http2_streams_lost_total"}
    assert lost == {"client": 1}, told
    until(lambda: Page(s.h).get("holdfast_requests_in_progress") == 0, what="the end of it")


@promise
def nothing_a_workload_says_makes_a_series_or_stands_on_the_page():
    mixed_traffic()
    s.h.mark()
    before = Page(s.h)
    for i in range(20):
        s.h.connect(f"minted-{i}.evil.test:443")[0].close()
        with s.h.tls() as c:
            c.request("GET", f"/free/minted-{i}?token=minted{i}", HOST, [(f"X-Minted-{i}-Token", f"minted{i}")])
        with s.h.open() as c:
            c.send(f"MINTED{i} http://minted/ HTTP/1.1\r\nHost: minted{i}\r\n\r\n")
            c.read_to_end()
    s.h.mark()
    page = Page(s.h)
    # a connection's end has its reason's series from the first time on
    new = {k for k in page.samples if k not in before.samples and k[0] != "holdfast_connections_ended_total"}
    assert not new, new
    for word in ("minted", "allowed.test", "spiffe://", "Bearer", PUBLIC, s.ws.path, "agents"):
        assert word not in page.text, word


# ---- the door itself

@promise
def probes_and_scrapes_of_every_make_are_answered():
    base = "http://%s:%d" % s.h.door("ops")
    for path, body in [("/healthz", "ok\n"), ("/readyz", "ok\n")]:
        told = run_as(0, ["curl", "-sS", "--max-time", "60", "-w", "%{http_code}", base + path], {"no_proxy": "*"})
        assert told.stdout in (body + "200", (body + "200").encode()), told
        assert ask(s.h, path, **{"User-Agent": "kube-probe/1.35", "Accept": "*/*", "Connection": "close"})[:2] == (200, body)
    prometheus = {"Accept": "application/openmetrics-text;version=1.0.0;q=0.75,application/openmetrics-text;version=0.0.1;"
                            "q=0.5,text/plain;version=0.0.4;q=0.25,*/*;q=0.1", "Accept-Encoding": "gzip",
                  "X-Prometheus-Scrape-Timeout-Seconds": "10", "User-Agent": "Prometheus/2.42.0"}
    page = Page(s.h, **prometheus)
    assert page.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert page.text.endswith("# EOF\n") and page.types["holdfast_requests"] == "counter", page.text[-300:]
    assert page.types["holdfast_build"] == "info"
    plain = Page(s.h, Accept="text/plain")
    assert plain.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert {k for k in plain.samples if k[0].startswith("holdfast")} == {k for k in page.samples if k[0].startswith("holdfast")}
    with Channel(socket.create_connection(s.h.door("ops"), timeout=60)) as c:
        for _ in range(3):
            answer = c.request("GET", "/healthz", "ops")
            assert (answer.status, answer.body) == (200, b"ok\n")
        answer = c.request("HEAD", "/metrics", "ops")
        assert answer.status == 200 and int(answer.get("content-length")) > 1000 and answer.body == b""


@rows([("POST", b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 405),
       ("reload", b"POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 405),
       ("quit", b"GET /quitquitquit HTTP/1.1\r\nHost: a\r\n\r\n", 404),
       ("root", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 404),
       ("config", b"GET /config HTTP/1.1\r\nHost: a\r\n\r\n", 404),
       ("dots", b"GET /../metrics HTTP/1.1\r\nHost: a\r\n\r\n", 404),
       ("proxy", b"GET http://allowed.test/metrics HTTP/1.1\r\nHost: allowed.test\r\n\r\n", 404),
       ("CONNECT", b"CONNECT allowed.test:443 HTTP/1.1\r\nHost: allowed.test:443\r\n\r\n", 405),
       ("two lengths", b"GET /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
       ("bare LF", b"GET /metrics HTTP/1.1\nHost: a\n\n", 400),
       ("no host", b"GET /metrics HTTP/1.1\r\n\r\n", 400),
       ("large", b"GET /metrics HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 8000 + b"\r\n\r\n", 431),
       ("garbage", bytes(range(256)) * 8, 400)])
def nothing_else_is_there(row):
    _, data, status = row
    got = raw(s.h, data)
    assert got.startswith(b"HTTP/1.1 %d " % status), got[:200]
    assert b"holdfast_" not in got
    s.h.assert_alive()


@promise
def a_workload_does_not_reach_it_through_us():
    port = s.h.door("ops")[1]
    rule = s.rule("ops.test", trust=False, more=f'port = {port}; scheme = "http"; addresses = ["127.0.0.1/32"];')
    assert s.h.reload(s.config(rules=f"{RULES}, {rule}"))["msg"] == "config reloaded"
    mark = s.h.mark()
    channel, answer = s.h.connect(f"ops.test:{port}")
    if answer.status == 200:
        answer = channel.request("GET", "/metrics", f"ops.test:{port}")
    channel.close()
    assert (answer.status, answer.reason) == (403, "own_port"), (answer.line, answer.body)
    s.h.reload(s.config(rules=RULES))
    assert "own_port" in [li["reason"] for li in s.h.requests(mark)]


@promise
def those_who_say_nothing_or_drip_do_not_keep_a_probe_waiting():
    silent = [socket.create_connection(s.h.door("ops"), timeout=60) for _ in range(200)]
    for i, c in enumerate(silent):
        if i % 2:
            c.sendall(b"GET /healthz HTTP/1.1\r\nX-Slow: ")
    for _ in range(20):
        assert ask(s.h, "/healthz")[:2] == (200, "ok\n")
        Page(s.h)
    closed = 0
    for c in silent:        # no more than 64 are let stay, and those not for long
        try:
            while c.recv(4096):
                pass
        except ConnectionResetError:
            pass
        closed += 1
        c.close()
    assert closed == len(silent)


@promise
def one_who_reads_no_answer_holds_one_page_and_not_for_long():
    c = socket.socket()
    c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    c.settimeout(60)
    c.connect(s.h.door("ops"))
    c.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n" * 100)
    assert ask(s.h, "/healthz")[0] == 200
    total = 0
    try:
        while piece := c.recv(65536):
            total += len(piece)
    except ConnectionResetError:
        pass
    c.close()
    assert total < 3 * len(Page(s.h).text), total


# ---- what it says of reloads, of stuck workers, of the end

@promise
def a_refused_reload_is_seen_and_the_next_good_one_too():
    first = Page(s.h)
    assert s.h.reload("this is not a config")["msg"] == "config rejected"
    bad = Page(s.h)
    assert bad.get("holdfast_config_last_reload_successful") == 0
    for name in ("holdfast_config_last_reload_success_timestamp_seconds", "holdfast_config_generation"):
        assert bad.get(name) == first.get(name)
    assert s.h.reload(s.config(rules=RULES))["msg"] == "config reloaded"
    good = Page(s.h)
    assert good.get("holdfast_config_last_reload_successful") == 1
    assert good.get("holdfast_config_generation") == first.get("holdfast_config_generation") + 1
    assert good.get("holdfast_config_last_reload_success_timestamp_seconds") \
        > first.get("holdfast_config_last_reload_success_timestamp_seconds")


@promise
def a_grant_that_comes_by_a_reload_has_a_series_and_keeps_it():
    more = grant(s.rule("denied.test", paths='["/never"]'), name="fresh")
    s.h.reload(s.config(grants=grant(RULES) + "," + more))
    assert Page(s.h).get("holdfast_grant_requests_total", grant="fresh", decision="deny") == 0
    mark = s.h.mark()
    before = Page(s.h).get("holdfast_grant_requests_total", grant="tests", decision="allow")
    s.h.get("/free/a")
    s.h.reload(s.config(rules=RULES))
    s.h.get("/free/a")
    s.h.mark()
    told = [li for li in s.h.requests(mark) if li.get("grant") == "tests"]
    assert len(told) >= 2, s.h.requests(mark)
    assert Page(s.h).get("holdfast_grant_requests_total", grant="tests", decision="allow") == before + len(told)


@promise
def a_stuck_worker_fails_health_and_is_named():
    inside = s.config(rules=RULES, limits='worker_stuck = "2s";')
    h = Holdfast(s.ws, lambda h: inside(h) + f'control = {{ socket = "{h.run}/control.sock"; }};', name="stuck",
                 env={"HOLDFAST_FAULTS": "stick"})
    if not any("faults injected" in li["msg"] for li in h.lines):
        h.stop()
        raise Skip("this build has no faults to inject")
    h.get("/free/a")
    body = until(lambda: (lambda a: a[1] if a[0] == 503 else None)(ask(h, "/healthz")), what="a worker that is stuck")
    assert re.match(r"worker [01] is stuck: its loop has not turned for \d+ s\n", body), body
    assert ask(h, "/readyz")[0] == 200
    told = holdfast("status", "-c", h.config_path)
    assert told.returncode == 1 and "a worker is stuck, up" in told.stdout, told
    until(lambda: Page(h).total("holdfast_heartbeat_age_seconds") >= 2, what="a heartbeat that stays away")
    h.kill(signal.SIGKILL)
    h.wait_exit()
    h.assert_clean()


@promise
def while_it_drains_it_is_not_ready_but_well():
    h = Holdfast(s.ws, s.config(rules=RULES, limits=CALM + 'drain = "600s";'), name="drains")
    asked, let_go = threading.Event(), threading.Event()

    def hold(connection, request):
        connection.read_body(request)
        asked.set()
        let_go.wait(300)
        echo(connection, request)

    s.origin.answer = hold
    assert ask(h, "/readyz")[:2] == (200, "ok\n")
    c = h.tls()
    c.send(f"GET /free/a HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
    assert asked.wait(60)
    h.kill(signal.SIGTERM)
    h.wait_for("draining")
    assert ask(h, "/readyz")[:2] == (503, "draining\n")
    assert ask(h, "/healthz")[:2] == (200, "ok\n")
    assert Page(h).total("holdfast_open_connections") == 1
    let_go.set()
    s.origin.answer = echo
    assert c.read_answer().status == 200
    assert h.wait_exit() == 0
    h.assert_clean()


@promise
def a_gate_has_an_ops_door_too():
    leaf = s.ws.leaf("orders.test")
    os.chown(leaf.key, PROXY_UID, PROXY_UID)
    service = Origin("127.0.0.1", 0)
    config = gate_config(leaf, f"http://127.0.0.1:{service.port}", s.h.jwks, listen="127.0.0.1:0")
    config = config.replace("doors = (", "doors = (" + DOOR.lstrip(", ") + ",") + f"limits = {{ {CALM} }};"
    h = Holdfast(s.ws, config, name="gate")
    with Channel(socket.create_connection(h.door("gate"), timeout=60)) as c:
        c.start_tls(ssl.create_default_context(cafile=s.ws.ca.file), "orders.test")
        assert c.request("GET", "/", "orders.test").reason == "token_missing"
    assert ask(h, "/healthz")[:2] == (200, "ok\n")
    h.mark()            # the answer comes before it is counted
    page = Page(h)
    assert page.get("holdfast_blocked_total", **{"class": "proof"}) == 1
    assert page.get("holdfast_requests_total", decision="deny", reason="token_missing") == 1
    assert page.get("holdfast_leaf_cache_entries") == page.get("holdfast_leaf_cache_misses_total") == 0
    assert not service.connections
    h.stop()


# ---- secrets and their stand-ins

FILE_CREDENTIAL = """
credentials = {
  hub = { owner = "a@example"; approved_by = "b@example"; ticket = "T-1"; rotate_every = "30d"; privileges = "read";
          source = { kind = "file"; path = "%s"; }; handle = { value = "%s"; }; };
};
"""


@promise
def a_secret_that_cannot_be_read_and_a_handle_in_the_wrong_hands_are_seen():
    secret, handle = "the-real-secret-of-the-hub", "handle-of-the-workload-1"
    path = os.path.join(s.ws.directory("secrets"), "hub")
    with open(path, "w", encoding="ascii") as f:
        f.write(secret)
    os.chmod(path, 0o600)
    os.chown(path, PROXY_UID, PROXY_UID)
    long_ago = time.time() - 40 * 24 * 3600
    os.utime(path, (long_ago, long_ago))
    rule = s.rule(more='credential = "hub"; bind = ["bearer"]; unbound_because = "it takes nothing else";')
    h = Holdfast(s.ws, s.config(grants=grant(rule) + "," + grant(s.rule(), name="others", caller=f"{{ uid = {OTHER_UID}; }}"),
                                credentials=FILE_CREDENTIAL % (path, handle)), name="secrets-run")
    bearer = [("Authorization", f"Bearer {handle}")]
    assert h.get("/mine", fields=bearer).status == 200
    assert s.origin.requests[-1].get("authorization") == f"Bearer {secret}"
    h.mark()
    page = Page(h)
    assert page.get("holdfast_credential_readable", credential="hub") == 1
    age = page.get("holdfast_credential_age_seconds", credential="hub")
    assert 39 * 24 * 3600 <= age <= time.time() - long_ago + 1, age
    assert page.get("holdfast_credential_rotate_every_seconds", credential="hub") == 30 * 24 * 3600
    assert page.get("holdfast_presented_total", binding="bearer") == 1 and page.total("holdfast_alarms_total") == 0
    answer = h.get("/theirs", uid=OTHER_UID, fields=bearer)
    assert (answer.status, answer.reason) == (403, "foreign_handle"), answer.line
    h.mark()
    page = Page(h)
    assert page.get("holdfast_alarms_total", kind="foreign") == 1 == page.total("holdfast_alarms_total")
    assert page.get("holdfast_blocked_total", **{"class": "credential"}) == 1
    os.unlink(path)
    until(lambda: Page(h).get("holdfast_credential_readable", credential="hub") == 0, what="the secret's loss")
    page = Page(h)
    assert not any(name == "holdfast_credential_age_seconds" for name, _ in page.samples)
    assert page.get("holdfast_credential_rotate_every_seconds", credential="hub") == 30 * 24 * 3600
    text = Page(h).text
    assert secret not in text and handle not in text and path not in text
    h.stop()


# ---- what is written of it

def operating():
    with open(os.path.join(ROOT, "docs/OPERATING.md"), encoding="utf-8") as f:
        return f.read()


@promise
def the_manual_has_a_row_for_each_figure_and_no_other():
    page = Page(s.h)
    rows_told = dict(re.findall(r"^\| `((?:holdfast|process)_\w+)`(?:\{[^|]*\})? \| (\w+) \|", operating(), re.M))
    rows_told.update(re.findall(r"^\| `((?:holdfast|process)_\w+)(?:\{[^|]*\})?` \| (\w+) \|", operating(), re.M))
    assert rows_told == page.types, (set(rows_told.items()) ^ set(page.types.items()))


@promise
def the_alert_rules_are_sound_and_fire_on_what_they_name():
    path = os.path.join(ROOT, "docs/alerts.yml")
    code, said = promtool("check", "rules", path)
    assert code == 0 and "SUCCESS" in said, said
    code, said = promtool("test", "rules", os.path.join(ROOT, "tests/integration/alerts_test.yml"))
    assert code == 0, said
    with open(path, encoding="utf-8") as f:
        named = set(re.findall(r"\b(?:holdfast|process)_\w+", " ".join(re.findall(r"expr: (.*)", f.read()))))
    page = Page(s.h)
    named = {re.sub("_bucket$", "", n) for n in named}
    assert named and named <= set(page.types), named - set(page.types)


main(s.end)
