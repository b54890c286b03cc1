"""The harness itself: a witness that lies is worse than none."""

import os
import socket
import struct

from holdfast import (ADDRESSES, METADATA, OTHER_UID, PUBLIC, WORKLOAD_UID, Channel, Origin, StubDNS, Trap, client_hello,
                      connect, main, own_network, promise, run_as)
import certs
import ssl
import tempfile

own_network(ADDRESSES)
directory = tempfile.TemporaryDirectory()
authority = certs.Authority(directory.name, "ca")


@promise
def the_service_keeps_what_it_was_sent():
    leaf = authority.leaf("leaf", ["allowed.test"])
    origin = Origin(PUBLIC, 443, leaf)
    channel = Channel(connect(PUBLIC, 443))
    channel.start_tls(ssl.create_default_context(cafile=authority.file), "allowed.test")
    answer = channel.request("POST", "/a?b", "allowed.test", [("X", "y")], b"hello")
    assert answer.status == 200 and answer.json()["body_bytes"] == 5
    channel.send("POST /c HTTP/1.1\r\nHost: allowed.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: 1\r\n\r\n")
    assert channel.read_answer("POST").json()["body_bytes"] == 3
    assert [r.target for r in origin.requests] == ["/a?b", "/c"]
    assert origin.requests[1].trailers == ["T: 1"]
    assert len(origin.connections) == 1
    assert b"POST /a?b" in origin.raw()
    origin.stop()


@promise
def a_socket_belongs_to_the_uid_it_was_made_under():
    origin = Origin(PUBLIC, 0)
    sockets = [connect(PUBLIC, origin.port, uid) for uid in (WORKLOAD_UID, OTHER_UID)]
    with open("/proc/net/tcp", encoding="ascii") as f:
        rows = [line.split() for line in f][1:]
    uids = {int(r[1].split(":")[1], 16): int(r[7]) for r in rows}
    assert [uids[s.getsockname()[1]] for s in sockets] == [WORKLOAD_UID, OTHER_UID]
    assert os.geteuid() == 0
    assert run_as(WORKLOAD_UID, ["id", "-u"]).stdout.strip() == str(WORKLOAD_UID).encode()


@promise
def a_trap_counts_its_visitors():
    trap = Trap(METADATA, 80)
    assert trap.visits == 0
    connect(METADATA, 80)
    trap.wait_visit()
    assert trap.visits == 1


def _ask(server, name, kind, tcp=False):
    question = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"
    question += b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0" + struct.pack(">HH", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.connect((server.address, server.port))
        s.sendall(struct.pack(">H", len(question)) + question if tcp else question)
        if not tcp:
            return s.recv(65535)
        f = s.makefile("rb")
        return f.read(struct.unpack(">H", f.read(2))[0])


@promise
def the_name_server_answers_as_scripted():
    server = StubDNS({"a.test": ["20.0.0.1", "::1"], "many.test": [f"20.0.1.{i}" for i in range(256)],
                      "flip.test": lambda q, nth: q.answer(["20.0.0.1"] if nth == 1 else ["127.0.0.1"])})
    assert _ask(server, "a.test", 1)[-4:] == bytes([20, 0, 0, 1])
    assert _ask(server, "a.test", 28)[-1] == 1
    assert _ask(server, "none.test", 1)[3] & 15 == 3
    assert _ask(server, "many.test", 1)[2] & 2, "too large for UDP: truncated"
    assert struct.unpack(">H", _ask(server, "many.test", 1, tcp=True)[6:8])[0] == 256
    assert _ask(server, "flip.test", 1)[-4:] == bytes([20, 0, 0, 1])
    assert _ask(server, "flip.test", 1)[-4:] == bytes([127, 0, 0, 1])
    assert server.asked("flip.test") == 2


@promise
def a_hand_made_client_hello_carries_the_names_it_was_given():
    leaf = authority.leaf("leaf2", ["allowed.test"])
    seen = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf.certificate, leaf.key)
    context.sni_callback = lambda s, name, c: seen.append(name)
    for names in ([], [b"allowed.test"]):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        incoming.write(client_hello(names))
        server = context.wrap_bio(incoming, outgoing, server_side=True)
        try:
            server.do_handshake()
        except ssl.SSLWantReadError:
            pass
    assert seen == [None, "allowed.test"]
    assert b"denied\0.test" in client_hello([b"denied\0.test"])


main()
