"""CONNECT, TLS server name, Host and target agree, or the request is refused: the HTTP/1 rows of vectors/authority."""

import ssl

from holdfast import (ADDRESSES, PUBLIC, Closed, Origin, Sidecar, client_hello, main, own_network, promise, rows, vectors)

own_network(ADDRESSES)
PORT = 15001
CASES = [c for c in vectors("authority/cases.json")["cases"] if not c["id"].startswith("h2-")]
PLAIN = ', { host = "allowed.test"; scheme = "http"; port = 80; methods = "any"; paths = "any"; }'
SELF = f', {{ host = "proxy.test"; port = {PORT}; scheme = "http"; methods = "any"; paths = "any"; addresses = ["127.0.0.1"]; }}'
NEIGHBOUR = f', {{ host = "neighbour.test"; port = {PORT}; scheme = "http"; methods = "any"; paths = "any"; }}'
NAMES = f"""resolver = {{ hosts = ( {{ name = "allowed.test"; addresses = ["{PUBLIC}"]; }},
  {{ name = "proxy.test"; addresses = ["127.0.0.1"]; }}, {{ name = "neighbour.test"; addresses = ["{PUBLIC}"]; }} ); }};"""
s = Sidecar(also=PLAIN + SELF + NEIGHBOUR, names=NAMES, listen=f"127.0.0.1:{PORT}",
            limits='head_timeout = "3s"; handshake_timeout = "3s"; connection_idle = "3s"; refusal_leaf_rate = 1000;')
plain = Origin(PUBLIC, 80)


def filled(text):
    for blank, value in (("<proxy port>", str(PORT)), ("<admin port>", str(PORT)), ("<name of the proxy>", f"proxy.test:{PORT}")):
        text = text.replace(blank, value)
    return text


def names_of(sni):
    if sni is None:
        return []
    return [n.encode("latin-1") for n in (sni if isinstance(sni, list) else [sni])]


def context_for(case):
    context = s.h.client_context()
    context.check_hostname = False          # we ask what Holdfast does, not what we would accept
    if case["id"] == "alpn-none":
        context = s.h.client_context()
        context.check_hostname = False
        context.set_alpn_protocols([])
    return context


def inside(case, channel):
    """What is sent inside the tunnel; the status of the answer, or None when it was closed."""
    host, target = case["host_or_authority"], case["target"]
    if target == "SSH-2.0-x":
        channel.send("SSH-2.0-x\r\n")
        return channel.read_answer().status
    if case["id"] == "alpn-mismatch":
        channel.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    elif target.startswith("CONNECT "):
        channel.send(f"{target} HTTP/1.1\r\nHost: {target.split()[1]}\r\n\r\n")
    elif target.startswith("X-Forwarded-Host"):
        channel.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n{target}\r\n\r\n")
    else:
        path = target if target.startswith(("/", "http:")) else "/"
        channel.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
    return channel.read_answer().status


def outcome(case):
    """The status the workload got, or None when it was shut out without one."""
    if case["connect"] is None:
        with s.h.open() as channel:
            target = filled(case["target"])
            channel.send(f"GET {target} HTTP/1.1\r\nHost: {filled(case['host_or_authority'])}\r\n\r\n")
            return channel.read_answer().status
    target = filled(case["connect"])
    with s.h.open() as channel:
        host = case["host_or_authority"] if case["target"] is None and case["host_or_authority"] else target
        channel.send(f"CONNECT {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")
        answer = channel.read_answer("CONNECT")
        if answer.status != 200:
            return answer.status
        if case["target"] is None or case["id"] in ("connect-plain", "connect-ssh"):
            return inside(case, channel) if case["target"] else inside_tls(case, channel, target)
        return inside_tls(case, channel, target)


def inside_tls(case, channel, target):
    sni = case["sni"] if case["target"] else target.rpartition(":")[0]
    if isinstance(sni, list) or sni == "" or (sni and ("\0" in sni or "*" in sni or len(sni) > 253 or sni[0].isdigit())):
        channel.send(client_hello(names_of(sni)))
        reply = channel.read_to_end()
        assert not reply.startswith(b"\x16\x03\x03"), "it went on with the handshake"
        return None
    try:
        channel.start_tls(context_for(case), sni)
    except OSError:
        return None
    return inside({**case, "target": case["target"] or "/", "host_or_authority": case["host_or_authority"] or sni}, channel)


@rows(CASES)
def the_names_agree_or_it_is_refused(case):
    mark, before, denied = s.h.mark(), len(s.origin.requests) + len(plain.requests), len(s.denied.connections)
    try:
        status = outcome(case)
    except Closed:
        status = None
    reached = len(s.origin.requests) + len(plain.requests) - before
    expect = case["expect"]
    assert len(s.denied.connections) == denied
    if expect.startswith("allow") and expect != "allow-or-deny" or expect == "as http":
        assert status == 200 and reached == 1, (status, reached)
        (line,) = s.h.wait_requests(1, mark)
        assert line["to"].startswith("allowed.test:") and line["reason"] == "ok", line
    elif expect == "allow-or-deny":
        assert (status == 200) == (reached == 1), (status, reached)
    else:
        assert reached == 0 and (status is None or 400 <= status < 500 or status == 501), (status, reached)


@promise
def names_that_disagree_are_421():
    mark = s.h.mark()
    with s.h.tls() as channel:
        answer = channel.request("GET", "/", "denied.test")
        assert (answer.status, answer.reason) == (421, "names_disagree"), answer.line
    (line,) = s.h.wait_requests(1, mark)
    assert line["reason"] == "names_disagree" and "up" not in line


@promise
def a_server_name_that_is_not_one_name_ends_the_handshake_with_its_reason():
    mark = s.h.mark()
    channel, _ = s.h.connect()
    channel.send(client_hello([b"allowed.test\0.denied.test"]))
    channel.read_to_end()
    s.h.wait_line(lambda li: li.get("reason") == "server_name", mark, what="server_name")


@promise
def bytes_that_are_neither_tls_nor_http_end_the_tunnel_with_their_reason():
    mark = s.h.mark()
    channel, _ = s.h.connect()
    channel.send(b"\x00\x01\x02\x03\xff\xfe not a protocol\n\n")
    assert channel.is_closed()
    s.h.wait_line(lambda li: li.get("reason") == "not_http", mark, what="not_http")


@promise
def a_client_that_does_not_take_our_leaf_is_told_of_in_the_log():
    mark = s.h.mark()
    channel, _ = s.h.connect()
    try:
        channel.start_tls(ssl.create_default_context(), "allowed.test")
        raise AssertionError("it trusted a CA it was not told of")
    except ssl.SSLError:
        pass
    s.h.wait_line(lambda li: li.get("reason") == "client_tls", mark, what="client_tls")


@promise
def our_own_door_is_not_a_target_even_by_a_name_a_rule_allows():
    mark = s.h.mark()
    channel, answer = s.h.connect(f"proxy.test:{PORT}")
    with channel:
        if answer.status == 200:
            answer = channel.request("GET", "/", f"proxy.test:{PORT}")
        assert (answer.status, answer.reason) == (403, "own_port"), (answer.line, answer.body)
    assert s.h.wait_requests(1, mark)[-1]["reason"] == "own_port"


@promise
def our_doors_port_of_another_address_is_a_service_like_any_other():
    neighbour = Origin(PUBLIC, PORT)
    mark = s.h.mark()
    with s.h.open() as channel:
        assert channel.request("GET", f"http://neighbour.test:{PORT}/", f"neighbour.test:{PORT}").status == 200
    assert s.h.wait_requests(1, mark)[0]["up"] == f"{PUBLIC}:{PORT}" and len(neighbour.requests) == 1


main(s.end)
