"""A request's body that is malformed and comes with its head: no service hears of it, whichever HTTP either side speaks."""

import socket
import ssl

import h2_frames as h2
from h2_origin import tunnel
from h2_peer import Peer
from h2_scene import PATHS, SERVICES, Scene
from holdfast import ADDRESSES, PRIVATE, PUBLIC, PUBLIC2, hosts, main, own_network, rows

own_network(ADDRESSES)
LATE = "late.test"


class Malformed(Scene):
    """A third service takes its time until it is connected."""

    def rules(self):
        late = (f'{{ host = "{LATE}"; methods = "any"; paths = "any"; addresses = ["{PRIVATE}"]; '
                f'upstream_trust = "{self.ws.ca.file}"; }}')
        return super().rules() + ", " + late

    def config(self, **changed):
        return super().config(names=hosts(one_test=PUBLIC, two_test=PUBLIC2, late_test=PRIVATE), **changed)


s = Malformed()
CHUNKED = [("chunk-size", b"5\r\nhello\r\nz\r\n"), ("chunk-end", b"5\r\nhello!\r\n0\r\n\r\n"),
           ("trailer", b"5\r\nhello\r\n0\r\nTransfer-Encoding: x\r\n\r\n")]
DATA, LAST = (h2.DATA, 0, b"hello"), (h2.DATA, h2.END_STREAM, b"hello")
TRAILER = (h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, h2.literal([("transfer-encoding", "x")]))
STRANGE = (h2.HEADERS, h2.END_STREAM | h2.END_HEADERS, h2.literal([(":path", "/")]))
FRAMES = [("too-short", "6", [LAST]), ("too-long", "4", [DATA]), ("too-long-and-ended", "4", [LAST]), ("nothing", "1", []),
          ("trailer", None, [DATA, TRAILER]), ("trailer-of-known-length", "5", [DATA, TRAILER]),
          ("pseudo-field", "5", [DATA, STRANGE]), ("head-without-end", "5", [DATA, (h2.HEADERS, h2.END_HEADERS, h2.literal([("x", "y")]))])]
RULES = ("plain", "signed")
BY_H1 = [(f"{way}-{rule}-{kind}", service, rule, kind, body) for way, client, service in PATHS if client == "h1"
         for rule in RULES for kind, body in CHUNKED]
BY_H2 = [(f"{way}-{rule}-{kind}", service, rule, kind, length, frames) for way, client, service in PATHS if client == "h2"
         for rule in RULES for kind, length, frames in FRAMES]


def nothing_was_sent(mark, service, path):
    (line,) = s.h.wait_requests(1, mark)
    assert line["step"] in ("head", "collect"), line
    assert s.asking("h2", service)("GET", "/plain/next").status == 200
    assert all(r.target != path for r in s.services[service].requests)


@rows(BY_H1)
def one_of_http_1_stays_here(row):
    _, service, rule, kind, body = row
    mark, host, path = s.h.mark(), SERVICES[service], f"/{rule}/{kind}"
    with s.h.tls(f"{host}:443") as c:
        c.send(f"POST {path} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: chunked\r\n\r\n".encode() + body)
        answer = c.read_answer("POST")
        assert answer.status == 400 and answer.reason, answer.line
    nothing_was_sent(mark, service, path)


@rows(BY_H2)
def one_of_http_2_stays_here(row):
    _, service, rule, kind, length, frames = row
    mark, host, path = s.h.mark(), SERVICES[service], f"/{rule}/{kind}"
    fields = h2.request_fields("POST", path, host, "https", [("content-length", length)] if length else [])
    with tunnel(s.h, f"{host}:443") as p:
        p.ping()
        head = h2.headers(p.next_id, h2.literal(fields), not frames)
        p.send(head + b"".join(h2.frame(kind, flags, p.next_id, payload) for kind, flags, payload in frames))
        nothing_was_sent(mark, service, path)
        p.next_id += 2
        assert p.request("GET", "/plain/next", host).answer().status == 200, "its neighbours go on"


def answered_over_http_1(stream, service):
    with service:
        service.settimeout(120)
        assert service.recv(65536) == b"", "it was told something"
        return stream.answer()


def answered_over_http_2(stream, service):
    with Peer(service, True) as peer:
        answer = stream.answer()
        peer.ping()
        assert not peer.streams, "it was asked"
        return answer


@rows([("h1", "http/1.1", answered_over_http_1), ("h2", "h2", answered_over_http_2)])
def one_that_comes_while_its_service_is_dialled_stays_here(row):
    _, offer, answered = row
    leaf, mark = s.ws.leaf(LATE), s.h.mark()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate, leaf.key)
    context.set_alpn_protocols([offer])
    with socket.create_server((PRIVATE, 443)) as listener, tunnel(s.h, f"{LATE}:443") as p:
        stream = p.open(h2.request_fields("POST", "/", LATE, "https", [("content-length", "6")]), end=False)
        sock, _ = listener.accept()
        stream.data(b"hello", end=True)
        p.ping()                        # it is there, before the handshake
        answer = answered(stream, context.wrap_socket(sock, server_side=True))
        assert (answer.status, answer.reason) == (400, "content_length")
        (line,) = s.h.wait_requests(1, mark)
        assert line["step"] == "present", line


main(s.end)
