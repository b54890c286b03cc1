"""What goes through a WebSocket over HTTP/1.1: bytes as they come, and the end of either side as it is said."""

import hashlib
import os
import socket
import ssl
import threading

import sockets
from holdfast import Gone, main, promise, rows
from ws_scene import WAYS, end, h, is_cut, line_of, opened, plain, service, tunnel


@rows(WAYS)
def bytes_glued_to_either_end_of_the_handshake_arrive_behind_it(way):
    _, secure = way
    there = service if secure else plain
    got = []

    def answer(connection, request):
        got.append(bytes(connection.pending))
        connection.send(sockets.acceptance(request, glued=b"glued to the answer"))
        got.append(connection.read())
    there.will(answer)
    with tunnel(secure) as c:
        c.send(sockets.head("/chat/a") + b"glued to the question")
        assert c.read_head().status == 101
        assert c.until(b"answer") == b"glued to the answer"
        there.wait()
    assert got == [b"", b"glued to the question"], got


@rows(WAYS)
def a_client_that_has_said_its_end_still_hears(way):
    _, secure = way
    heard, said = [], threading.Event()

    def then(connection, request):
        try:
            while True:
                heard.append(connection.read())
        except Gone:
            assert said.wait(120)
            connection.send(b"after your end")
        if secure:
            connection.say_end()
    mark = h.quiet_mark()
    with opened(secure, then) as c:
        c.send(b"my last")
        if secure:
            half_close(c.sock)
        else:
            c.sock.shutdown(socket.SHUT_WR)
        said.set()
        assert c.read_to_end() == b"after your end"
    (service if secure else plain).wait()
    assert b"".join(heard) == b"my last"
    line = line_of(mark)
    assert (line["in"], line["out"]) == (7, 14)


def half_close(tls):
    """Sends close_notify alone: a non-blocking unwrap writes ours, and finds that theirs has not come. What comes meanwhile
    it would throw away, so the other side is silent until this is done."""
    timeout = tls.gettimeout()
    tls.setblocking(False)
    try:
        tls.unwrap()
    except (ssl.SSLWantReadError, OSError):
        pass
    tls.settimeout(timeout)


@rows(WAYS)
def a_service_that_has_said_its_end_still_hears(way):
    _, secure = way
    heard, said, told = [], threading.Event(), threading.Event()

    def then(connection, request):
        connection.send(b"my last")
        if secure:
            half_close(connection.sock)
        else:
            connection.sock.shutdown(socket.SHUT_WR)
        said.set()
        assert told.wait(120)
        while b"end" not in b"".join(heard):
            heard.append(connection.read())
    mark = h.quiet_mark()
    with opened(secure, then) as c:
        assert c.read_to_end() == b"my last"
        assert said.wait(120)
        c.send(b"after your end")
        told.set()
        (service if secure else plain).wait()
    assert b"".join(heard) == b"after your end"
    line = line_of(mark)
    assert (line["in"], line["out"]) == (14, 7)


@rows(WAYS)
def when_the_client_is_gone_the_service_is_left_too(way):
    _, secure = way
    gone = threading.Event()

    def then(connection, request):
        try:
            connection.read()
        except Gone:
            gone.set()
    c = opened(secure, then)
    c.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    mark = h.index()
    c.close()
    assert gone.wait(120)
    line_of(mark, "client_gone")


@rows(WAYS)
def when_the_service_is_gone_the_client_is_not_told_of_a_clean_end(way):
    _, secure = way

    def then(connection, request):
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.sock.close()
    mark = h.index()
    with opened(secure, then) as c:
        assert is_cut(c)
    line_of(mark, "upstream_closed")


@promise
def nothing_else_ever_rides_on_its_connections():
    before = len(service.origin.connections)
    with opened(then=lambda c, r: c.send(b"bye") or c.say_end()) as c:
        assert c.until(b"bye")
        c.sock.unwrap()
    service.wait()
    service.will(lambda c, r: c.reply(200, "plain"))
    with tunnel() as c:
        assert c.request("GET", "/quiet", "allowed.test").status == 200
    assert len(service.origin.connections) == before + 2


def pour(send, most):
    """Sends until nobody takes any more, or all of it: the digest of what went."""
    digest, piece, n = hashlib.sha256(), os.urandom(1 << 16), 0
    while n < most:
        try:
            went = send(piece)
        except (socket.timeout, BlockingIOError, ssl.SSLWantWriteError):
            break
        digest.update(piece[:went])
        n += went
    return n, digest.hexdigest()


@rows([("the_client", True), ("the_service", False)])
def a_reader_that_stops_holds_the_writer_back(row):
    """In the clear, where what went is known byte by byte."""
    _, client_reads = row
    most, sent, stuck, heard = 256 << 20, [], threading.Event(), []

    def write(sock):
        sock.settimeout(5)
        sent.extend(pour(sock.send, most))
        sock.settimeout(None)
        stuck.set()
        sock.shutdown(socket.SHUT_WR)

    def read(receive):
        assert stuck.wait(300)
        digest, n = hashlib.sha256(), 0
        while True:
            piece = receive()
            if not piece:
                heard.extend([n, digest.hexdigest()])
                return
            digest.update(piece)
            n += len(piece)

    def receive_of(connection):
        def receive():
            try:
                return connection.read(1 << 20)
            except Gone:
                return b""
        return receive

    def then(connection, request):
        if client_reads:
            write(connection.sock)
        else:
            read(receive_of(connection))
    before = h.resident_kib()
    with opened(False, then) as c:
        if client_reads:
            read(lambda: c.receive(1 << 20))
        else:
            write(c.sock)
        plain.wait()
        assert sent == heard and sent[0] < most, (sent, heard)
        assert h.resident_kib() - before < 16 << 10, (before, h.resident_kib())


main(end)
