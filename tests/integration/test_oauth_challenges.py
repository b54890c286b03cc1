"""Tokens and their proofs over HTTP/2 and gRPC; and clients that leave while another nonce is asked for."""

import socket
import struct
import threading

from authorization_server import Refused
from h2_origin import H2Origin, tunnel
from holdfast import ADDRESSES, PUBLIC, by_size, main, own_network, promise, rows
from patience import until

own_network(ADDRESSES)

from oauth_scene import begin, get, records, s, stop, verb  # noqa: E402

GRPC = [("content-type", "application/grpc"), ("te", "trailers")]
MESSAGE = b"\0\0\0\0\5hello"


# ---- HTTP/2 and gRPC

def start_h2():
    """The service speaks HTTP/2, and answers as gRPC does where it is asked so."""
    h = s.start(workers=1)
    s.service.origin.stop()

    def answer(stream):
        told = [("dpop-nonce", s.service.nonce)] if s.service.nonce else []
        try:
            s.service._judge(stream)
        except Refused as no:
            stream.reply(401, no.error, [("www-authenticate", f'DPoP error="{no.error}"'), *told])
            return
        stream.answer()
        grpc = stream.get("content-type") == "application/grpc"
        stream.reply(200, stream.body, [("content-type", "application/grpc")] if grpc else [], [("grpc-status", "0")] if grpc else None)
    s.service.origin = H2Origin(PUBLIC, 443, s.ws.leaf("api.test"), answer=answer)
    return h


def call(p, path="/v1/calls.Calls/Once"):
    return p.request("POST", path, "api.test", GRPC, MESSAGE).answer()


@promise
def a_bound_token_leaves_with_a_proof_of_each_call_on_one_connection():
    h = start_h2()
    task = begin(h)
    with tunnel(h, "api.test:443") as p:
        streams = [p.request("POST", f"/v1/calls.Calls/{i}", "api.test", GRPC, MESSAGE) for i in range(8)]
        seen = [stream.answer() for stream in streams]
        assert [(a.status, a.body, dict(a.trailers)) for a in seen] == [(200, MESSAGE, {"grpc-status": "0"})] * 8
        assert p.request("GET", "/v1/plain?q=1", "api.test").answer().status == 200
    (token,) = s.server.tokens
    assert s.service.shown == [(token.value, token.jkt)] * 9 and len(s.server.asked) == 1
    lines = h.wait_requests(9)
    assert len({li["proof"] for li in lines}) == 9 and {(li["binding"], li["up_http"]) for li in lines} == {("dpop", "2")}, lines
    assert verb(h, "task_end", id=task)["revocation"] == "revoked" and token.revoked.is_set()
    stop(h)


@promise
def a_nonce_that_a_service_of_http2_wants_is_learned_in_one_more_try():
    h = start_h2()
    s.service.nonce = "one"
    begin(h)
    with tunnel(h, "api.test:443") as p:
        assert p.request("GET", "/v1/x", "api.test").answer().status == 200
        told = call(p)
        assert (told.status, dict(told.trailers)) == (200, {"grpc-status": "0"}), told.fields
        s.service.nonce = "two"
        since = len(s.service.origin.requests)
        told = [p.request("POST", "/v1/x", "api.test", [("content-length", "5")], b"hello").answer(), call(p)]
        assert [a.status for a in told] == [200, 200] and len(s.service.origin.requests) - since == 3
        assert all(a.get("dpop-nonce") is None for a in told)
    stop(h)


@promise
def a_call_whose_task_is_over_is_refused_in_grpcs_words():
    h = start_h2()
    task = begin(h)
    with tunnel(h, "api.test:443") as p:
        assert call(p).status == 200
    verb(h, "task_end", id=task)
    with tunnel(h, "api.test:443") as p:
        told = call(p)
        assert told.status == 200 and told.get("grpc-status") == "7", told.fields
    assert len(s.service.shown) == 1
    stop(h)


# ---- who leaves while it is asked for

class Leaver:
    """A request on a connection of its own, that is cut when somebody says so."""

    def __init__(self, h):
        self.channel = h.tls("api.test:443")

    def ask(self, method="GET", body=b""):
        self.channel.send(f"{method} /v1/x HTTP/1.1\r\nHost: api.test\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)

    def leave(self, how):
        sock = self.channel.sock
        if how == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()


def nobody_is_served(h):
    until(lambda: sum(state["exchanges"] for state in h._states()) == 0, what="the end of who has left")


MOMENTS = ("before", "with", "again")


def leaves_at(moment, how, leaver):
    """Before the service says what nonce it wants, in the same breath, or while it is asked again."""
    real, turns = s.service._judge, []

    def judge(request):
        turns.append(request)
        if moment == "before" and len(turns) == 1 or moment == "again" and len(turns) == 2:
            leaver.leave(how)
            gone.set()
            nobody.wait(60)
        if moment == "with" and len(turns) == 1:
            leaver.leave(how)
            gone.set()
        real(request)
    gone, nobody = threading.Event(), threading.Event()
    s.service._judge = judge
    return real, gone, nobody


@rows([(f"{moment}-{how}", moment, how) for moment in MOMENTS for how in ("closed", "reset")])
def a_client_that_leaves_while_the_service_wants_a_nonce_harms_nobody(row):
    _, moment, how = row
    h = s.start(workers=1)
    begin(h)
    assert get(h).status == 200                 # the token is there, and waits for nobody
    for i in range(by_size(3, 10)):
        s.service.nonce = f"nonce-{i}"
        leaver = Leaver(h)
        real, gone, nobody = leaves_at(moment, how, leaver)
        leaver.ask(*(("POST", b"x" * 1000) if i % 2 else ()))
        assert gone.wait(120)
        if moment != "with":
            nobody_is_served(h)
        nobody.set()
        nobody_is_served(h)
        s.service._judge = real
        assert get(h).status == 200
    assert len(s.server.asked) == 1, "one token serves them all"
    stop(h)
    assert len(records(h, "token")) == len(records(h, "token_end")) == 1


@rows([("closed", "closed"), ("reset", "reset")])
def a_client_that_leaves_while_the_server_wants_a_nonce_leaves_its_token_to_the_next(row):
    _, how = row
    h = s.start(workers=1)
    s.server.nonce = "first"
    task, asked, go_on = begin(h), threading.Event(), threading.Event()

    def slowly(connection, request, form):
        del connection, request, form
        asked.set()
        go_on.wait(60)
        return False
    s.server.answer = slowly
    leaver = Leaver(h)
    leaver.ask()
    assert asked.wait(120)
    leaver.leave(how)
    nobody_is_served(h)
    go_on.set()
    assert get(h).status == 200
    assert len(s.server.asked) == 2 and len(s.server.tokens) == 1
    assert verb(h, "task_end", id=task)["revocation"] == "revoked"
    stop(h)


if __name__ == "__main__":
    main(s.end)
