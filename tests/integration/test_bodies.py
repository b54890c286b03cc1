"""Large bodies through the binary we ship: 2 GiB up and down in flat memory, at the slower side's pace."""

import os
import threading

from holdfast import (ADDRESSES, RELEASE, Sidecar, by_size, echo, main, own_network, promise, skip_file)

own_network(ADDRESSES)
if not os.path.exists(RELEASE):
    skip_file(f"{RELEASE} is not built")
s = Sidecar(binary=RELEASE)
MIB = 1 << 20
SIZE = by_size(256 * MIB, 2048 * MIB)
PIECE = os.urandom(MIB)
FLAT_KIB = 4096         # more than all buffers of an exchange together, far less than any body here


class Watch(threading.Thread):
    """Reads the process's resident memory all the while."""

    def __init__(self):
        super().__init__(daemon=True)
        self.before = self.most = s.h.resident_kib()
        self.done = threading.Event()
        self.start()

    def run(self):
        while not self.done.wait(0.02):
            self.most = max(self.most, s.h.resident_kib())

    def assert_flat(self):
        self.done.set()
        self.join()
        self.most = max(self.most, s.h.resident_kib())
        assert self.most - self.before <= FLAT_KIB, f"{self.before} KiB before, {self.most} KiB at most"


def settle():
    """One exchange, so that what is made at first use is there."""
    assert s.h.get("/settle").status == 200


def count_only(connection, request):
    counted = [0]
    if request.get("transfer-encoding"):
        connection.read_body(request)
        counted[0] = request.body_bytes
    else:
        left = int(request.get("content-length") or 0)
        while left > 0:
            piece = connection.read(min(left, 1 << 18))
            left -= len(piece)
            counted[0] += len(piece)
    connection.reply(200, str(counted[0]))


def pour(connection, request):
    connection.read_body(request)
    if request.target == "/chunked":
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(SIZE // MIB):
            connection.send(b"%x\r\n" % MIB + PIECE + b"\r\n")
        connection.send(b"0\r\n\r\n")
    else:
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        for _ in range(SIZE // MIB):
            connection.send(PIECE)


@promise
def a_large_upload_keeps_memory_flat():
    settle()
    s.origin.answer = count_only
    watch = Watch()
    with s.h.tls() as c:
        c.send(b"PUT /up HTTP/1.1\r\nHost: allowed.test\r\nContent-Length: %d\r\n\r\n" % SIZE)
        for _ in range(SIZE // MIB):
            c.send(PIECE)
        assert int(c.read_answer("PUT").body) == SIZE
    watch.assert_flat()


@promise
def a_large_download_keeps_memory_flat():
    settle()
    s.origin.answer = pour
    watch = Watch()
    for path in ("/length", "/chunked") if SIZE < 1 << 30 else ("/length",):
        with s.h.tls() as c:
            c.send(f"GET {path} HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
            answer = c.read_head()
            counted = [0]
            c.read_body(answer, on_piece=lambda p: counted.__setitem__(0, counted[0] + len(p)))
            assert counted[0] == SIZE and answer.whole
    watch.assert_flat()


stuck = threading.Event()
poured = [0]


def pour_until_stuck(connection, request):
    """Sends until the other side takes no more for a second."""
    connection.read_body(request)
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (1 << 40))
    connection.sock.settimeout(1)
    try:
        while poured[0] < 1024 * MIB:
            connection.sock.sendall(PIECE[:65536])
            poured[0] += 65536
    except OSError:
        stuck.set()
    return True


@promise
def a_client_that_does_not_read_holds_the_service_back():
    s.origin.answer = echo
    settle()
    s.origin.answer = pour_until_stuck
    watch = Watch()
    with s.h.tls() as c:
        c.send("GET /stuck HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
        assert c.read_head().status == 200
        assert stuck.wait(60), f"{poured[0]} bytes were taken for a client that reads none"
    watch.assert_flat()


@promise
def a_service_that_does_not_read_holds_the_client_back():
    held = threading.Event()

    def never_read(connection, request):
        held.wait(60)
        return True

    s.origin.answer = echo
    settle()
    s.origin.answer = never_read
    watch = Watch()
    sent = 0
    with s.h.tls() as c:
        c.send(b"PUT /stuck HTTP/1.1\r\nHost: allowed.test\r\nContent-Length: %d\r\n\r\n" % (1 << 40))
        c.sock.settimeout(1)
        try:
            while sent < 1024 * MIB:
                c.sock.sendall(PIECE[:65536])
                sent += 65536
            raise AssertionError(f"{sent} bytes were taken for a service that reads none")
        except OSError:
            pass
        watch.assert_flat()
    held.set()


main(s.end)
