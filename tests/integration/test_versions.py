"""Which HTTP is spoken where: what a door offers, what a rule or a gate asks of its service, and what neither lets through."""

import contextlib
import os
import ssl

from h2_origin import H2Origin, direct, h2
from h2_peer import Peer
from holdfast import (ADDRESSES, PROXY_UID, PUBLIC, PUBLIC2, WORKLOAD_UID, Holdfast, Origin, Workspace, forward_config,
                      gate_config, hosts, main, own_network, promise, rows)
from origin import Connection, Gone, echo

own_network(ADDRESSES)
ws = Workspace()
EITHER, ONE, TWO, PLAIN, PLAIN2 = "either.test", "one.test", "two.test", "plain.test", "plain2.test"


class EitherOrigin(H2Origin):
    """Takes what is chosen of both."""

    def _begin(self, sock):
        self._context.set_alpn_protocols(["h2", "http/1.1"])
        with contextlib.suppress(OSError, ssl.SSLError, Gone):
            sock = self._context.wrap_socket(sock, server_side=True)
            if sock.selected_alpn_protocol() == "h2":
                Peer(sock, True, on_stream=self._stream)
                return
            connection = Connection(self, sock, None, 0)
            while True:
                echo(connection, connection.read_head())

    def _saw(self, _):
        """Requests of HTTP/1.1 are told by the log."""


either = EitherOrigin(PUBLIC, 443, ws.leaf(EITHER))
two = H2Origin(PUBLIC, 8443, ws.leaf(TWO))
one = Origin(PUBLIC2, 443, ws.leaf(ONE))
plain = Origin(PUBLIC2, 80)
plain2 = H2Origin(PUBLIC2, 8080)
TRUST = f'upstream_trust = "{ws.ca.file}";'


def rule(host, keys, path="/**"):
    trust = "" if 'scheme = "http"' in keys else TRUST
    return f'{{ host = "{host}"; methods = "any"; paths = ["{path}"]; {trust} {keys} }}'


BOUND = 'credential = "orders"; bind = ["wimse"]; inject = "always";'
RULES = ", ".join([
    rule(EITHER, "", "/auto"), rule(EITHER, 'http = "1.1";', "/one"), rule(EITHER, 'http = "2";', "/two"),
    rule(EITHER, BOUND, "/bound"), rule(ONE, "", "/auto"), rule(ONE, 'http = "2";', "/two"), rule(TWO, "port = 8443;", "/auto"),
    rule(PLAIN, 'scheme = "http";'), rule(PLAIN2, 'scheme = "http"; port = 8080; http = "2";'),
])
DOORS = ''', { kind = "forward"; listen = "127.0.0.1:0"; http2 = false; }
  , { kind = "forward"; listen = "127.0.0.1:0"; h2c = true; http2 = false; }'''
USUAL, OLD, CLEAR = range(3)
NAMES = hosts(either_test=PUBLIC, one_test=PUBLIC2, two_test=PUBLIC, plain_test=PUBLIC2, plain2_test=PUBLIC2)


CONFIG = forward_config(RULES, doors=DOORS, names=NAMES)
holdfast = Holdfast(ws, CONFIG)


def offering(alpn):
    context = ssl.create_default_context(cafile=holdfast.ca)
    if alpn:
        context.set_alpn_protocols(alpn)
    return context


def channel(door, target):
    """A tunnel through this door."""
    c = holdfast.open(WORKLOAD_UID, nth=door)
    c.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n")
    assert c.read_answer("CONNECT").status == 200
    return c


def tls(door, alpn, target=f"{EITHER}:443"):
    return channel(door, target).start_tls(offering(alpn), target.partition(":")[0])


def ask(c, host, path, **more):
    """GET in whichever HTTP was agreed on: (status, reason)."""
    if c.sock.selected_alpn_protocol() == "h2":
        with Peer(c.sock, False) as peer:
            stream = peer.request("GET", path, host, **more)
            stream.answer()
            return stream.status, stream.reason
    with c:
        answer = c.request("GET", path, host)
        return answer.status, answer.reason


# ---- what a door offers

BOTH = ["h2", "http/1.1"]


@rows([
    ("both", USUAL, BOTH, "h2"), ("turned round", USUAL, BOTH[::-1], "h2"), ("h2 alone", USUAL, ["h2"], "h2"),
    ("1.1 alone", USUAL, ["http/1.1"], "http/1.1"), ("nothing", USUAL, None, None),
    ("both, of a door without", OLD, BOTH, "http/1.1"), ("nothing, of a door without", OLD, None, None),
])
def client_and_door_agree_on_what_both_offer(row):
    _, door, offered, agreed = row
    mark = holdfast.mark()
    c = tls(door, offered)
    assert c.sock.selected_alpn_protocol() == agreed
    assert ask(c, EITHER, "/auto") == (200, None)
    (line,) = holdfast.wait_requests(1, mark)
    assert (line["http"], line["up_http"], line["reason"]) == ("2" if agreed == "h2" else "1.1", "2", "ok"), line


@rows([("another protocol", USUAL, ["spdy/3"]), ("h2c, which is none inside TLS", USUAL, ["h2c"]), ("h2, of a door without", OLD, ["h2"])])
def without_one_in_common_there_is_no_connection(row):
    mark = holdfast.mark()
    with contextlib.closing(channel(row[1], f"{EITHER}:443")) as c:
        try:
            c.start_tls(offering(row[2]), EITHER)
            raise AssertionError("it was let in")
        except ssl.SSLError as e:
            assert "ALERT_NO_APPLICATION_PROTOCOL" in str(e).upper().replace(" ", "_"), e
    line = holdfast.wait_line(lambda li: li.get("msg") == "connection", mark)
    assert line["reason"] == "client_tls", line


@promise
def a_suite_that_http2_forbids_gets_http1():
    context = offering(BOTH)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-SHA")
    c = channel(USUAL, f"{EITHER}:443").start_tls(context, EITHER)
    assert c.sock.selected_alpn_protocol() == "http/1.1"
    assert ask(c, EITHER, "/auto")[0] == 200
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    c = channel(USUAL, f"{EITHER}:443").start_tls(context, EITHER)
    assert c.sock.selected_alpn_protocol() == "h2"
    assert ask(c, EITHER, "/auto")[0] == 200


# ---- what a rule asks of its service

@rows([
    ("auto, of both", EITHER, 443, "/auto", "2"), ("1.1, of both", EITHER, 443, "/one", "1.1"), ("2, of both", EITHER, 443, "/two", "2"),
    ("auto, of 1.1", ONE, 443, "/auto", "1.1"), ("auto, of 2", TWO, 8443, "/auto", "2"),
])
def a_service_is_spoken_to_as_its_rule_says(row):
    _, host, port, path, up = row
    for alpn in (["h2"], ["http/1.1"]):
        mark = holdfast.mark()
        name = host if port == 443 else f"{host}:{port}"
        assert ask(tls(USUAL, alpn, f"{host}:{port}"), name, path) == (200, None)
        (line,) = holdfast.wait_requests(1, mark)
        assert (line["up_http"], line["http"]) == (up, "2" if alpn == ["h2"] else "1.1"), line


@promise
def a_service_that_has_no_http2_is_told_of_where_the_rule_wants_it():
    before = len(one.requests)
    mark = holdfast.mark()
    assert ask(tls(USUAL, ["h2"], f"{ONE}:443"), ONE, "/two") == (502, "upstream_protocol")
    assert ask(tls(USUAL, ["http/1.1"], f"{ONE}:443"), ONE, "/two") == (502, "upstream_protocol")
    assert [li["step"] for li in holdfast.wait_requests(2, mark)] == ["dial"] * 2
    assert len(one.requests) == before, "nothing was asked of it"


@promise
def a_call_of_grpc_to_a_service_without_http2_is_refused_before_it():
    before = len(one.requests)
    mark = holdfast.mark()
    with Peer(tls(USUAL, ["h2"], f"{ONE}:443").sock, False) as peer:
        call = [("content-type", "application/grpc"), ("te", "trailers"), ("grpc-timeout", "30S")]
        stream = peer.request("POST", "/auto", ONE, call, b"\0\0\0\0\0")
        stream.answer()
        told = [stream.get(name) for name in (":status", "content-type", "grpc-status")]
        assert told == ["200", "application/grpc", "12"], stream.fields
        assert "grpc_needs_http2" in stream.get("grpc-message") and "grpc_needs_http2" in stream.get("proxy-status"), stream.fields
        assert not stream.body_bytes and not stream.trailers
        denied = peer.request("POST", "/nowhere", ONE, call, b"\0\0\0\0\0")
        denied.answer()
        assert [denied.get(name) for name in (":status", "grpc-status")] == ["200", "7"], denied.fields
    lines = {li["path"]: li for li in holdfast.wait_requests(2, mark)}
    assert [(lines[p]["status"], lines[p]["grpc_status"], lines[p]["reason"], lines[p]["step"]) for p in ("/auto", "/nowhere")] == [
        (200, 12, "grpc_needs_http2", "present"), (200, 7, "path_not_allowed", "judge")], lines
    assert len(one.requests) == before


@promise
def what_is_presented_is_never_indexed():
    for alpn in (["h2"], ["http/1.1"]):
        either.forget()
        assert ask(tls(USUAL, alpn), EITHER, "/bound")[0] == 200
        (request,) = either.wait_requests(1)
        assert {"workload-identity-token", "workload-proof-token"} <= request.sensitive, request.sensitive


# ---- in the clear

def in_the_clear(c):
    return Peer(c.sock, False)


@promise
def prior_knowledge_is_taken_where_the_door_says_so():
    mark = holdfast.mark()
    with in_the_clear(holdfast.open(nth=CLEAR)) as peer:
        for host, path in ((PLAIN, "/a"), (f"{PLAIN2}:8080", "/b")):
            stream = peer.request("GET", path, host, scheme="http")
            stream.answer()
            assert stream.status == 200, stream.fields
    with in_the_clear(channel(CLEAR, f"{PLAIN2}:8080")) as peer:
        stream = peer.request("GET", "/c", f"{PLAIN2}:8080", scheme="http")
        stream.answer()
        assert stream.status == 200, stream.fields
    lines = {li["path"]: (li["http"], li["up_http"]) for li in holdfast.wait_requests(3, mark)}
    assert lines == {"/a": ("2", "1.1"), "/b": ("2", "2"), "/c": ("2", "2")}, lines


@promise
def a_service_in_the_clear_has_what_the_rule_says_whatever_the_client_has():
    plain2.forget()
    mark = holdfast.mark()
    with holdfast.open(nth=USUAL) as c:
        assert c.request("GET", f"http://{PLAIN2}:8080/d", f"{PLAIN2}:8080").status == 200
    (line,) = holdfast.wait_requests(1, mark)
    assert (line["http"], line["up_http"]) == ("1.1", "2"), line
    (request,) = plain2.wait_requests(1)
    assert request.get(":scheme") == "http", request.fields


@rows([
    ("https in the clear", dict(scheme="https"), "target"),
    ("a tunnel within", dict(method="CONNECT"), "target"),
    ("another name than the rule's", dict(authority="nobody.test"), "host_not_allowed"),
    ("a metadata service", dict(authority="169.254.169.254"), "address_prohibited"),
])
def who_has_prior_knowledge_is_judged_like_anybody(row):
    _, told, reason = row
    if told.get("method") == "CONNECT":
        fields = [(":method", "CONNECT"), (":authority", f"{PLAIN}:80")]
    else:
        given = {"method": "GET", "path": "/", "authority": PLAIN, "scheme": "http", **told}
        fields = h2.request_fields(**given)
    with in_the_clear(holdfast.open(nth=CLEAR)) as peer:
        refused = peer.open(fields)
        allowed = peer.request("GET", "/beside", PLAIN, scheme="http")
        refused.answer()
        allowed.answer()
        assert (refused.reason, allowed.status) == (reason, 200), (refused.fields, allowed.fields)


@promise
def the_scheme_inside_tls_is_https():
    with Peer(tls(USUAL, ["h2"]).sock, False) as peer:
        stream = peer.request("GET", "/auto", EITHER, scheme="http")
        stream.answer()
        assert (stream.status, stream.reason) == (400, "target"), stream.fields


@promise
def another_door_does_not_take_it():
    mark = holdfast.mark()
    for c in (holdfast.open(nth=USUAL), channel(USUAL, f"{PLAIN2}:8080")):
        with c:
            c.send(h2.PREFACE + h2.settings())
            answer = c.read_answer()
            assert answer.version == "HTTP/1.1" and answer.reason == "method", answer.line
            assert c.is_closed()
    assert [li["reason"] for li in holdfast.wait_requests(2, mark)] == ["method"] * 2


# ---- a gate

@rows([("h2 offered", "", "h2"), ("and not", "http2 = false;", "http/1.1")])
def a_gate_offers_and_speaks_what_it_says(row):
    _, keys, agreed = row
    leaf = ws.leaf("orders.test")
    os.chown(leaf.key, PROXY_UID, PROXY_UID)
    service = H2Origin("127.0.0.1", 0)
    jwks = ws.file("jwks.json", '{"keys":[]}')
    gate = Holdfast(ws, gate_config(leaf, f"http://127.0.0.1:{service.port}", jwks, more_door=f'upstream_http = "2"; {keys}',
                                     listen="127.0.0.1:0"),
                    name=f"gate-{agreed.replace('/', '-')}")
    context = ssl.create_default_context(cafile=ws.ca.file)
    context.set_alpn_protocols(BOTH)
    with gate.open(kind="gate") as c:
        c.start_tls(context, "orders.test")
        assert c.sock.selected_alpn_protocol() == agreed
        assert ask(c, "orders.test", "/")[1] == "token_missing"
    gate.stop()
    service.stop()


# ---- a reload

@promise
def what_a_door_offers_changes_by_a_reload_for_who_comes_then():
    before = tls(USUAL, BOTH)
    assert before.sock.selected_alpn_protocol() == "h2"

    def changed(h):
        return CONFIG(h).replace('listen = "127.0.0.1:0"; }', 'listen = "127.0.0.1:0"; http2 = false; }', 1)

    holdfast.reload(changed)
    assert tls(USUAL, BOTH).sock.selected_alpn_protocol() == "http/1.1"
    assert ask(before, EITHER, "/auto")[0] == 200
    holdfast.reload(CONFIG)
    assert tls(USUAL, BOTH).sock.selected_alpn_protocol() == "h2"


def end():
    holdfast.stop()
    ws.remove()


main(end)
