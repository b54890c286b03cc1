"""A transparent door: clients that know of no proxy, led there by the kernel's REDIRECT. The name is theirs, the port and the
caller are the kernel's, and the address is our own resolution's."""

import json
import os
import subprocess

import turned
from client import PROXY_UID
from holdfast import (ADDRESSES, OTHER_UID, PRIVATE, PUBLIC, PUBLIC2, WORKLOAD_UID, Holdfast, Origin, Sidecar, Trap,
                      client_hello, hosts, main, own_network, promise, run_as)
from turned import PORT, PUBLIC6, connect

own_network(ADDRESSES + [PUBLIC6])
ELSEWHERE = "20.0.0.99"                     # nobody listens there
subprocess.run(["ip", "addr", "add", ELSEWHERE + "/32", "dev", "lo"], check=True)
ALSO = (', { host = "allowed.test"; scheme = "http"; port = 80; methods = "any"; paths = "any"; }'
        ', { host = "allowed.test"; scheme = "http"; port = 8080; methods = "any"; paths = "any"; }'
        f', {{ host = "{PUBLIC}"; scheme = "http"; port = 80; methods = "any"; paths = "any"; }}')
s = Sidecar(also=ALSO, doors=turned.DOORS, names=hosts(allowed_test=PUBLIC, denied_test=PUBLIC2),
            limits='head_timeout = "3s"; handshake_timeout = "3s"; refusal_leaf_rate = 1000;')
plain = Origin(PUBLIC, 80)
turned.lead()


def tls(name="allowed.test", address=PUBLIC, port=443, uid=WORKLOAD_UID):
    return connect(address, port, uid).start_tls(s.h.client_context(), name)


def records():
    """The ledger's, of what was decided."""
    found, folder = [], os.path.join(s.h.run, "ledger")
    for name in sorted(n for n in os.listdir(folder) if n.startswith("ledger-")):
        with open(os.path.join(folder, name), "rb") as f:
            found += [json.loads(line) for line in f if line.endswith(b"\n")]
    return [r for r in found if "verdict" in r]


# ---- what works

@promise
def a_client_that_knows_of_no_proxy_reaches_the_service_its_server_name_says():
    mark = s.mark()
    with tls() as c:
        answer = c.request("GET", "/x?q=1", "allowed.test")
    assert answer.status == 200, answer.line
    ((request,), (line,)) = s.since(mark)
    assert request.get("host") == "allowed.test"
    assert (line["door"], line["orig"], line["to"], line["up"]) == \
        ("transparent", f"{PUBLIC}:443", "allowed.test:443", f"{PUBLIC}:443"), line
    assert line["who"] == f"uid:{WORKLOAD_UID}", line


@promise
def plain_http_is_judged_by_its_host_and_the_port_it_went_to():
    mark, before = s.h.mark(), len(plain.requests)
    with connect(PUBLIC, 80) as c:
        assert c.request("GET", "/one", "allowed.test").status == 200
        assert c.request("GET", "/two", "allowed.test:80").status == 200
    one, two = s.h.wait_requests(2, mark)
    assert [r.target for r in plain.requests[before:]] == ["/one", "/two"]
    assert (one["to"], one["orig"]) == ("allowed.test:80", f"{PUBLIC}:80") and two["to"] == "allowed.test:80", (one, two)


@promise
def stock_curl_needs_nothing_but_the_ca():
    mark = s.h.mark()
    resolve = ["--resolve", f"allowed.test:443:{PUBLIC}", "--resolve", f"allowed.test:80:{PUBLIC}"]
    for url in ("https://allowed.test/", "http://allowed.test/"):
        told = run_as(WORKLOAD_UID, ["curl", "-sS", "--max-time", "60", *resolve, url], {"SSL_CERT_FILE": s.h.bundle})
        assert told.returncode == 0 and json.loads(told.stdout)["method"] == "GET", told
    assert [li["door"] for li in s.h.wait_requests(2, mark)] == ["transparent"] * 2


@promise
def where_the_client_meant_to_go_is_never_dialled():
    """Its own resolution may be wrong, or a lie: ours is what is judged and dialled."""
    trap, mark = Trap(PUBLIC2, 4430), s.mark()
    for address, port, status in ((ELSEWHERE, 443, 200), (PRIVATE, 443, 200), (PUBLIC2, 4430, 403)):
        with tls(address=address, port=port) as c:
            host = "allowed.test" if port == 443 else f"allowed.test:{port}"
            answer = c.request("GET", "/", host)
            assert answer.status == status, (address, answer.line, answer.body)
    _, lines = s.since(mark, 3)
    assert [li["orig"] for li in lines] == [f"{ELSEWHERE}:443", f"{PRIVATE}:443", f"{PUBLIC2}:4430"], lines
    assert [li.get("up") for li in lines] == [f"{PUBLIC}:443"] * 2 + [None] and trap.visits == 0
    trap.stop()


@promise
def a_connection_over_ipv6_is_led_in_as_well():
    mark = s.mark()
    with tls(address=PUBLIC6) as c:
        assert c.request("GET", "/", "allowed.test").status == 200
    (_, (line,)) = s.since(mark)
    assert line["orig"] == f"[{PUBLIC6}]:443" and line["who"] == f"uid:{WORKLOAD_UID}", line


@promise
def a_connection_is_kept_for_one_request_after_the_other():
    mark = s.mark()
    with tls() as c:
        for i in range(5):
            assert c.request("POST", f"/{i}", "allowed.test", body=b"x" * i).status == 200
    _, lines = s.since(mark, 5)
    assert len({li["x"].split(".")[0] for li in lines}) == 1


# ---- what is refused, in words that can be read

@promise
def a_name_that_no_grant_has_is_refused_inside_tls():
    mark = s.h.mark()
    with tls("denied.test", PUBLIC2) as c:
        answer = c.request("GET", "/", "denied.test")
        assert (answer.status, answer.reason) == (403, "host_not_allowed"), answer.line
    (line,) = s.h.wait_requests(1, mark)
    assert line["orig"] == f"{PUBLIC2}:443" and "up" not in line, line


@promise
def another_uid_has_no_grant():
    with tls(uid=OTHER_UID) as c:
        assert c.request("GET", "/", "allowed.test").reason == "caller_not_allowed"


@promise
def a_host_that_is_not_the_server_name_is_refused():
    for host, reason in (("denied.test", "names_disagree"), ("allowed.test:8443", "port_disagrees")):
        with tls() as c:
            answer = c.request("GET", "/", host)
            assert (answer.status, answer.reason) == (421, reason), answer.line


@promise
def plain_http_whose_host_has_another_port_is_refused():
    mark = s.h.mark()
    for port, host in ((80, "allowed.test:8080"), (8080, "allowed.test"), (8080, "allowed.test:80"), (443, "allowed.test")):
        with connect(PUBLIC, port) as c:
            answer = c.request("GET", "/", host)
            assert (answer.status, answer.reason) == (421, "port_disagrees"), (port, host, answer.line)
    assert {li["reason"] for li in s.h.wait_requests(4, mark)} == {"port_disagrees"}


@promise
def who_speaks_as_if_to_a_proxy_is_refused():
    for ask in ("GET http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\n\r\n",
                "CONNECT allowed.test:443 HTTP/1.1\r\nHost: allowed.test:443\r\n\r\n"):
        for open_one in (lambda: connect(PUBLIC, 80), tls):
            with open_one() as c:
                c.send(ask)
                assert c.read_answer().reason == "target", ask


@promise
def without_a_server_name_the_address_is_the_target():
    """No rule has it by its address, and a Host does not make it another."""
    mark = s.h.mark()
    context = s.h.client_context()
    context.check_hostname = False
    for host, reason in ((PUBLIC, "host_not_allowed"), ("allowed.test", "names_disagree")):
        with connect(PUBLIC, 443).start_tls(context, None) as c:
            answer = c.request("GET", "/", host)
            assert answer.reason == reason, (host, answer.line)
    with connect(PUBLIC6, 443).start_tls(context, None) as c:
        assert c.request("GET", "/", f"[{PUBLIC6}]").reason == "host_not_allowed"
    one, two, six = s.h.wait_requests(3, mark)
    assert one["to"] == two["to"] == f"{PUBLIC}:443" and six["to"] == six["orig"] == f"[{PUBLIC6}]:443", (one, two, six)


@promise
def http_1_0_without_a_host_is_for_the_address():
    mark = s.h.mark()
    with connect(PUBLIC, 80) as c:
        c.send("GET /old HTTP/1.0\r\n\r\n")
        assert c.read_answer().status == 200
    (line,) = s.h.wait_requests(1, mark)
    assert line["to"] == f"{PUBLIC}:80", line


# ---- what is closed, and logged

def ended(mark, reason):
    return s.h.wait_line(lambda li: li.get("msg") == "connection" and li["reason"] == reason, mark, what=reason)


@promise
def a_connection_that_nothing_turned_round_is_refused():
    for address in ("127.0.0.1", "::1"):
        mark = s.h.mark()
        with connect(address, PORT) as c:
            answer = c.request("GET", "/", "allowed.test")
            assert (answer.status, answer.reason) == (421, "not_intercepted"), answer.line
        line = ended(mark, "not_intercepted")
        assert line["door"] == "transparent" and line["orig"].endswith(f"]:{PORT}" if ":" in address else f":{PORT}"), line


@promise
def a_connection_to_a_door_of_ours_that_was_turned_round_is_refused():
    forward = s.h.door("forward")[1]
    turned.nft(f"""table inet looped {{
      chain out {{
        type nat hook output priority -101
        meta skuid {WORKLOAD_UID} tcp dport {forward} redirect to :{PORT}
      }}
    }}""")
    try:
        mark = s.h.mark()
        with connect("127.0.0.1", forward) as c:
            assert c.request("GET", "http://allowed.test/", "allowed.test").reason == "not_intercepted"
        assert ended(mark, "not_intercepted")["orig"] == f"127.0.0.1:{forward}"
    finally:
        turned.nft("delete table inet looped")


@promise
def a_connection_of_our_own_that_comes_back_is_not_served():
    """As rules would have it that let nobody by."""
    mark = s.h.mark()
    turned.lead(who="")
    try:
        with connect(PUBLIC, 443, uid=PROXY_UID) as c:
            c.send(client_hello([b"allowed.test"]))
            assert c.read_to_end() == b""
        assert ended(mark, "own_connection")["orig"] == f"{PUBLIC}:443"
        mark = s.h.mark()
        with connect(PUBLIC, 8080) as c:
            answer = c.request("GET", "/", "allowed.test:8080")
            assert answer.status == 502, answer.line
        assert ended(mark, "own_connection")["orig"] == f"{PUBLIC}:8080"
    finally:
        turned.lead()


@promise
def who_says_nothing_is_let_go_of_and_told_of_in_the_log():
    """Mail, databases, file transfer: there the server speaks first, and nobody will."""
    mark = s.h.mark()
    with connect(PUBLIC, 25) as c:
        assert c.is_closed()
    assert ended(mark, "idle")["orig"] == f"{PUBLIC}:25"


@promise
def who_leaves_without_a_word_is_told_of_in_the_log():
    mark = s.h.mark()
    connect(PUBLIC, 443).close()
    ended(mark, "client_gone")


@promise
def how_it_is_led_to_cannot_change_by_a_reload():
    try:
        assert s.h.reload(s.config(doors=turned.BY_TPROXY))["msg"] == "config rejected"
        assert any("intercept" in t for t in s.h.text[-10:]), s.h.tail()
    finally:
        assert s.h.reload(s.config())["msg"] == "config reloaded"
    with tls() as c:
        assert c.request("GET", "/", "allowed.test").status == 200


@promise
def who_has_said_nothing_holds_up_no_drain():
    h = Holdfast(s.ws, s.config(listen="127.0.0.1:0", doors=turned.DOOR, limits='head_timeout = "5m"; drain = "10m";'), name="drained")
    c, _ = turned.tunnel(h, "allowed.test:443", WORKLOAD_UID)
    with h.tls() as asked:
        assert asked.request("GET", "/", "allowed.test").status == 200
    assert len(h.wait_requests(1)) == 1
    h.mark()
    h.stop()
    assert c.is_closed()


def where_they_meant_to_go_stands_in_the_ledger():
    with tls(address=ELSEWHERE) as c:
        assert c.request("GET", "/last", "allowed.test").status == 200
        assert c.request("GET", "/last", "allowed.test:81").status == 421
    with connect("127.0.0.1", PORT) as c:
        assert c.request("GET", "/", "allowed.test").status == 421
    s.h.stop()
    told = [(r["verdict"], r.get("reason"), r["orig"]) for r in records() if r.get("door") == "transparent"][-3:]
    assert set(told) == {("allow", None, f"{ELSEWHERE}:443"), ("refuse", "port_disagrees", f"{ELSEWHERE}:443"),
                         ("refuse", "not_intercepted", f"127.0.0.1:{PORT}")}, told
    assert not s.denied.connections
    s.ws.remove()


main(where_they_meant_to_go_stands_in_the_ledger)
