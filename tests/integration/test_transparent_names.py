"""At a transparent door the server name, Host and the port the connection was made to agree, or it is refused: the HTTP/1 rows
of vectors/authority, as a client would send them that knows of no proxy. And what is no HTTP at all ends there."""

import subprocess

import turned
from client import Answer
from holdfast import (ADDRESSES, METADATA, PUBLIC, PUBLIC2, Closed, Origin, Sidecar, Trap, client_hello, hosts, main, own_network,
                      promise, rows, vectors)
from turned import connect

own_network(ADDRESSES)
subprocess.run(["ip", "addr", "add", "192.0.2.1/32", "dev", "lo"], check=True)
CASES = [c for c in vectors("authority/cases.json")["cases"] if not c["id"].startswith("h2-")]
# Who knows of no proxy says no CONNECT; he goes to an address, by a resolution of his own that binds nobody.
OF_CONNECT_ALONE = {"connect-noport", "connect-host-mismatch", "connect-self"}
BY_OUR_RESOLUTION = {"front-connect", "connect-ip", "connect-meta"}
PLAIN = ', { host = "allowed.test"; scheme = "http"; port = 80; methods = "any"; paths = "any"; }'
s = Sidecar(also=PLAIN, doors=turned.DOORS, names=hosts(allowed_test=PUBLIC, denied_test=PUBLIC2),
            limits='head_timeout = "3s"; handshake_timeout = "3s"; refusal_leaf_rate = 1000;')
plain = Origin(PUBLIC, 80)
traps = [Trap(METADATA, 443), Trap("192.0.2.1", 443), Trap(PUBLIC, 4000)]
turned.lead()


def origin_of(case):
    """(address, port) that its client connects to."""
    name, _, port = (case["connect"] or ("allowed.test:443" if case["sni"] or "transparent" in case["id"] else "allowed.test:80")
                     ).rpartition(":")
    return {"allowed.test": PUBLIC, "denied.test": PUBLIC2}.get(name, name), int(port)


def says(case, channel):
    """What it asks; the status of the answer."""
    host, target = case["host_or_authority"], case["target"]
    if case["id"] == "connect-ssh":
        channel.send(target + "\r\n")
    elif case["id"] == "alpn-mismatch":
        channel.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    elif target.startswith("CONNECT "):
        channel.send(f"{target} HTTP/1.1\r\nHost: {target.split()[1]}\r\n\r\n")
    elif target.startswith("X-Forwarded-Host"):
        channel.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n{target}\r\n\r\n")
    else:
        path = target if target.startswith(("/", "http:")) else "/"
        channel.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n")
    return channel.read_answer().status


def is_in_the_clear(case):
    return case["id"] in ("connect-ssh", "connect-plain") or case["connect"] is None and case["id"] != "no-sni-transparent"


def outcome(case):
    """The status the workload got, or None when it was shut out without one."""
    with connect(*origin_of(case)) as channel:
        if is_in_the_clear(case):
            return says(case, channel)
        sni = case["sni"] if case["target"] else "allowed.test"
        names = [n.encode("latin-1") for n in (sni if isinstance(sni, list) else [sni])] if sni is not None else []
        if len(names) > 1 or names and (names[0] == b"" or any(b in names[0] for b in b"\0*") or len(names[0]) > 253 or
                                        names[0][:1].isdigit()):
            channel.send(client_hello(names))
            assert not channel.read_to_end().startswith(b"\x16\x03\x03"), "it went on with the handshake"
            return None
        context = s.h.client_context()
        context.check_hostname = False          # we ask what Holdfast does, not what we would accept
        if case["id"] == "alpn-none":
            context.set_alpn_protocols([])
        try:
            channel.start_tls(context, sni)
        except OSError:
            return None
        return says({**case, "target": case["target"] or "/", "host_or_authority": case["host_or_authority"] or "allowed.test"}, channel)


@rows([c for c in CASES if c["id"] not in OF_CONNECT_ALONE])
def the_names_agree_or_it_is_refused(case):
    mark, before, denied = s.h.mark(), len(s.origin.requests) + len(plain.requests), len(s.denied.connections)
    try:
        status = outcome(case)
    except Closed:
        status = None
    reached = len(s.origin.requests) + len(plain.requests) - before
    assert len(s.denied.connections) == denied and not sum(t.visits for t in traps)
    if case["expect"].startswith("allow") and case["expect"] != "allow-or-deny" or case["expect"] == "as http" or \
            case["id"] in BY_OUR_RESOLUTION:
        assert status == 200 and reached == 1, (status, reached)
        (line,) = s.h.wait_requests(1, mark)
        assert line["to"].startswith("allowed.test:") and line["up"].startswith(PUBLIC) and line["reason"] == "ok", line
        assert line["orig"] == "%s:%d" % origin_of(case), line
    else:
        assert reached == 0 and (status is None or 400 <= status < 500 or status == 501), (status, reached)


@promise
def a_server_name_that_is_not_one_name_ends_the_handshake_with_its_reason():
    mark = s.h.mark()
    with connect(PUBLIC, 443) as c:
        c.send(client_hello([b"allowed.test\0.denied.test"]))
        c.read_to_end()
    line = s.h.wait_line(lambda li: li.get("reason") == "server_name", mark, what="server_name")
    assert line["orig"] == f"{PUBLIC}:443" and "to" not in line, line


@promise
def an_encrypted_client_hello_is_answered_for_the_name_outside():
    """GREASE, as browsers send it: we terminate, and the name inside is nobody's."""
    hello = client_hello([b"allowed.test"])
    grease = b"\xfe\x0d\x00\x0a" + b"\x00\x00\x01\x00\x01\x07\x00\x00\x00\x00"
    body = hello[9:]
    at = 34 + 1 + body[34]
    at += 2 + int.from_bytes(body[at:at + 2], "big")
    at += 1 + body[at]
    extensions = body[at + 2:] + grease
    body = body[:at] + len(extensions).to_bytes(2, "big") + extensions
    shake = b"\x01" + len(body).to_bytes(3, "big") + body
    with connect(PUBLIC, 443) as c:
        c.send(hello[:3] + len(shake).to_bytes(2, "big") + shake)
        assert c.receive().startswith(b"\x16\x03\x03"), "no ServerHello"


# ---- other protocols, by what their clients say first

FIRST_WORDS = [
    ("ssh", b"SSH-2.0-OpenSSH_9.2\r\n"), ("sslv2", bytes.fromhex("802e0100020015000000100100800200800300800400800500800600400700c0")),
    ("dtls", bytes.fromhex("16fefd0000000000000000003601000000000000000000")), ("postgres", bytes.fromhex("0000000804d2162f")),
    ("mysql", bytes.fromhex("2000000185a6ff0100000001210000")), ("redis", b"*1\r\n$4\r\nPING\r\n"), ("redis-inline", b"PING\r\n"),
    ("memcached", b"\x80\x0b" + bytes(22)), ("memcached-text", b"stats\r\n"),
    ("mongodb", bytes.fromhex("3a0000000100000000000000d407000000000000")), ("cassandra", b"\x04\x00\x00\x00\x05\x00\x00\x00\x00"),
    ("kafka", bytes.fromhex("000000160012000300000001000a")), ("amqp", b"AMQP\x00\x00\x09\x01"),
    ("mqtt", b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04abcd"), ("ldap", bytes.fromhex("300c020101600702010304008000")),
    ("smb", b"\x00\x00\x00\x45\xffSMBr" + bytes(60)), ("rdp", bytes.fromhex("030000130ee000000000000100080003000000")),
    ("vnc", b"RFB 003.008\n"), ("irc", b"NICK x\r\nUSER x 0 * :x\r\n"), ("smtp", b"EHLO x\r\n"), ("ftp", b"USER x\r\n"),
    ("imap", b"a1 LOGIN x y\r\n"), ("socks4", b"\x04\x01\x01\xbb\x14\x00\x00\x0a\x00"), ("socks5", b"\x05\x01\x00"),
    ("telnet", b"\xff\xfb\x18\xff\xfb\x1f"), ("dns", b"\x00\x1d\x12\x34\x01\x00\x00\x01" + bytes(6) + b"\x05local\x00\x00\x01\x00\x01"),
    ("bittorrent", b"\x13BitTorrent protocol" + bytes(48)), ("rtsp", b"OPTIONS rtsp://allowed.test/x RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
    ("sip", b"INVITE sip:x@allowed.test SIP/2.0\r\nVia: x\r\n\r\n"), ("git", b"0032git-upload-pack /x.git\0host=allowed.test\0"),
    ("rsync", b"@RSYNCD: 31.0\n"), ("x11", b"l\x00\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
    ("xmpp", b"<?xml version='1.0'?><stream:stream to='allowed.test'>"), ("stomp", b"CONNECT\naccept-version:1.2\n\n\0"),
    ("nats", b'CONNECT {"verbose":false}\r\n'), ("proxy-v1", b"PROXY TCP4 1.2.3.4 20.0.0.10 1 80\r\nGET / HTTP/1.1\r\nHost: allowed.test\r\n\r\n"),
    ("proxy-v2", b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + bytes(12)), ("h2c", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("http-0.9", b"GET /\r\n"),
]
ENDS = {"not_http", "client_tls", "request_line", "line_end", "version", "method", "target", "head_timeout", "field_name", "host_missing"}


@rows([(f"{name}-{door}", words, opened) for name, words in FIRST_WORDS
       for door, opened in (("transparent", lambda: connect(PUBLIC, 4000)), ("forward", s.h.open))])
def another_protocol_is_closed_and_told_of_and_never_passed_on(row):
    name, words, opened = row
    mark = s.h.mark()
    with opened() as c:
        c.send(words)
        answer = c.read_to_end()
    if answer:
        told = Answer(answer.partition(b"\r\n\r\n")[0])
        assert 400 <= told.status < 506 and told.get("connection") == "close", answer
    met = {"door": "forward"} if name.endswith("forward") else {"door": "transparent", "orig": f"{PUBLIC}:4000"}
    line = s.h.wait_line(lambda li: met.items() <= li.items() and "reason" in li, mark, what="a line")
    assert line["reason"] in ENDS and "up" not in line, line
    assert not sum(t.visits for t in traps)


main(s.end)
