"""WebSocket over HTTP/1.1: strangers talk with strangers, through a sidecar and through a gate. What is not theirs to notice is
test_websocket_handshake.py's, _bytes.py's and _ends.py's."""

import os
import socket
import ssl

import sockets
from holdfast import PROXY_UID, Channel, Holdfast, forward_config, gate_config, main, promise, rows
from ws_scene import (NAMES, RULES, Script, WAYS, converse, decisions, echo, end, h, line_of, plain_stranger, service, stranger, tunnel,
                      ws)


@rows(WAYS)
def a_stranger_talks_with_a_stranger(way):
    _, secure = way
    seen = stranger if secure else plain_stranger
    mark, before = h.quiet_mark(), len(seen.opened)

    async def conversation(s):
        await s.send("hello")
        assert await s.recv() == "hello"
        await s.send(b"\0\xff" * 70000)
        assert await s.recv() == b"\0\xff" * 70000
        return s.subprotocol

    told = {"subprotocols": ["other", "chat"], "extra_headers": [("Authorization", "Bearer stolen"), ("X-Mine", "1")]}
    assert converse(conversation, path="/chat?room=1", secure=secure, **told) == "chat"
    path, fields = seen.opened[before]
    assert path == "/chat?room=1" and ("x-mine", "1") in fields
    proved = sockets.vouched(fields)
    assert set(proved) == ({"workload-identity-token", "workload-proof-token"} if secure else set()), proved
    line = line_of(mark)
    assert (line["status"], line["method"], line["path"], line["step"]) == (101, "GET", "/chat", "finish"), line
    assert line["in"] > 0 and line["out"] > 0 and "authorization" in [n.lower() for n in line["stripped"]]
    assert ("proof" in line) == secure


@promise
def a_handshake_is_one_decision_before_its_first_byte_goes_out():
    durable = Holdfast(ws, lambda at: forward_config(RULES, names=NAMES)(at).replace('/ledger"; }', '/ledger"; durable = "decision"; }'),
                       name="durable")
    found = []

    def look(connection, request):
        found.extend(decisions(durable))
        echo(connection, request)
    service.will(look)
    with tunnel(of=durable) as c:
        assert sockets.open_by_hand(c, path="/chat/a").status == 101
        c.send(b"hello")
        assert c.until(b"hello") == b"hello"
        c.sock.unwrap()
    one, = found
    assert (one["method"], one["path"], one["verdict"]) == ("GET", "/chat/a", "allow") and one["proof"], one
    durable.stop()
    assert decisions(durable) == found, "and none behind it"


@promise
def node_talks_with_node():
    mark = h.quiet_mark()
    there = sockets.node_service(ws, "20.0.0.30", 443, ws.leaf("node.test"))
    heard = sockets.node_client(ws, h, "wss://node.test/chat", "one", "two", "ping", "close 4002 enough")
    assert heard["messages"] == ["one", "two"] and heard["pongs"] == 1, heard
    assert heard["protocol"] == "chat" and "permessage-deflate" in heard["extensions"]
    assert (heard["code"], heard["reason"]) == (4002, "enough")
    there.wait(lambda calls: any(c["event"] == "close" for c in calls), "the close")
    begun = there.calls[0]
    assert begun.tokens[0] and begun.tokens[1], "signed for"
    closed = next(c for c in there.calls if c["event"] == "close")
    assert (closed["code"], closed["reason"]) == (4002, "enough")
    assert line_of(mark)["status"] == 101
    there.stop()


@promise
def node_talks_with_python_which_closes_as_it_likes():
    before = len(stranger.closed)
    heard = sockets.node_client(ws, h, "wss://stranger.test/chat", "one", "close, please")
    assert heard["messages"] == ["one"] and (heard["code"], heard["reason"]) == (4001, "as asked"), heard
    assert stranger.wait_closed(before + 1)[0] == 4001


@promise
def closes_are_the_ends_own():
    async def ours(s):
        await s.send("x")
        await s.recv()
        await s.close(4003, "no more")

    async def theirs(s):
        await s.send("close, please")
        try:
            await s.recv()
        except Exception:
            return s.close_code, s.close_reason
        raise AssertionError("it went on")

    before, mark = len(stranger.closed), h.quiet_mark()
    converse(ours)
    assert stranger.wait_closed(before + 1) == (4003, "no more")
    assert converse(theirs) == (4001, "as asked")
    assert [li["reason"] for li in h.wait_requests(2, mark)] == ["ok", "ok"]


@promise
def pings_go_both_ways():
    async def conversation(s):
        await (await s.ping(b"here?"))
        await s.send("ping me")
        return await s.recv()
    assert converse(conversation) == "you are"


@promise
def a_message_of_ten_mebibytes_arrives_whole():
    whole = os.urandom(10 << 20)

    async def conversation(s):
        await s.send(whole)
        return await s.recv()
    mark = h.quiet_mark()
    assert converse(conversation, compression=None) == whole
    line = line_of(mark)
    assert line["in"] >= 10 << 20 and line["out"] >= 10 << 20


@promise
def ten_thousand_small_messages_arrive_in_their_order():
    async def conversation(s):
        for start in range(0, 10000, 100):
            for i in range(start, start + 100):
                await s.send(f"message {i}")
            for i in range(start, start + 100):
                assert await s.recv() == f"message {i}"
        return True
    assert converse(conversation)


# ---- in front of a service that knows nothing of all this

@promise
def a_gate_verifies_the_handshake_and_passes_the_rest_on():
    behind = Script("127.0.0.1", 0)
    leaf = ws.leaf("gated.test")
    os.chown(leaf.key, PROXY_UID, PROXY_UID)
    may = '{ methods = ["GET"]; paths = ["/chat"]; subjects = "any"; grants = ["tests"]; purposes = "any"; require_body_digest = true; websocket = true; }'
    may_not = '{ methods = ["GET"]; paths = ["/quiet"]; subjects = "any"; grants = ["tests"]; purposes = "any"; }'
    gate = Holdfast(ws, gate_config(leaf, f"http://127.0.0.1:{behind.origin.port}", h.jwks, f"{may}, {may_not}",
                                    '"https://gated.test"', listen="20.0.0.40:443"), name="gate")
    seen = []

    def answer(connection, request):
        seen.append(request)
        echo(connection, request)
    behind.will(answer)
    mark = gate.mark()
    with tunnel(host="gated.test") as c:
        assert sockets.open_by_hand(c, path="/chat", host="gated.test").status == 101
        c.send(b"through two")
        assert c.until(b"two") == b"through two"
        c.sock.unwrap()
    assert line_of(mark, of=gate)["status"] == 101
    assert seen[0].get("x-holdfast-workload") and not seen[0].get("workload-proof-token"), seen[0].fields
    mark = gate.mark()
    with tunnel(host="gated.test") as c:
        c.send(sockets.head("/quiet", "gated.test"))
        refused = c.read_answer()
        assert (refused.status, refused.reason) == (403, "websocket_not_allowed")
    line_of(mark, "websocket_not_allowed", gate)
    with Channel(socket.create_connection(("20.0.0.40", 443))) as c:       # from anywhere, with no proof
        c.start_tls(ssl.create_default_context(cafile=ws.ca.file), "gated.test")
        c.send(sockets.head("/chat", "gated.test"))
        assert c.read_answer().reason == "token_missing"
    assert len(behind.origin.requests) == 1
    gate.stop()


main(end)
