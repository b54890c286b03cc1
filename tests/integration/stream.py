"""A response under way, which the test lets go on and end."""

import threading

from holdfast import Closed, echo


class Stream:
    """Begun by h's workload at the service `origin`, called allowed.test."""

    def __init__(self, h, origin):
        self.go_on = threading.Event()
        origin.answer = self.answer
        self.channel = h.tls()
        self.channel.send("GET /stream HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
        assert self.channel.read_head().status == 200
        origin.answer = echo

    def answer(self, connection, request):
        connection.read_body(request)
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        self.go_on.wait(300)
        connection.send(b"4\r\nlast\r\n0\r\n\r\n")

    def ends_whole(self):
        self.go_on.set()
        try:
            self.channel.until(b"last\r\n0\r\n\r\n")
            return True
        except Closed:
            return False
