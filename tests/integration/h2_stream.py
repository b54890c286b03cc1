"""One exchange on an HTTP/2 connection of ours, as h2_peer.py tells of it."""

import hashlib
import json

import h2_frames as h2
from client import Closed

PATIENCE = 120


class Message:
    """One head, its body and its trailers."""

    def __init__(self):
        self.interim = []
        self.fields = None
        self.sensitive = set()          # names of fields that were sent as never to be indexed
        self.body = b""                 # the first bytes of it
        self.body_bytes = 0
        self.digest = hashlib.sha256()
        self.trailers = []
        self.whole = False

    def get(self, name):
        return next((v for n, v in self.fields if n == name), None)

    def all(self, name):
        return [v for n, v in self.fields if n == name]


class Stream(Message):
    """An exchange on a connection. What is read of it is the other side's message."""

    def __init__(self, peer, number):
        super().__init__()
        self.peer, self.id = peer, number
        self.reset = None               # the code the other side ended it with
        self.window = peer.initial_window
        self.pieces = 0

    # ---- a request's words, an answer's words

    @property
    def method(self):
        return self.get(":method")

    @property
    def target(self):
        return self.get(":path")

    @property
    def status(self):
        return int(self.get(":status"))

    @property
    def body_sha256(self):
        return self.digest.hexdigest()

    def json(self):
        return json.loads(self.body)

    @property
    def reason(self):
        """The token of a refusal, as Answer.reason has it."""
        status = self.get("proxy-status")
        if status is None:
            return None
        assert status.startswith("holdfast; error="), status
        details = status.split('details="')[1].split('"')[0]
        if self.body:
            problem = self.json()
            assert (problem["reason"], problem["status"]) == (details, self.status), (problem, self.fields)
        return details

    # ---- waiting

    def wait(self, true, what, timeout=PATIENCE):
        """Waits until true(self), or the stream can bring no more."""
        self.peer.wait(lambda _: true(self) or self.reset is not None or self.peer.over, what, timeout)
        return true(self)

    def wait_head(self):
        if not self.wait(lambda s: s.fields is not None, f"the head of stream {self.id}"):
            raise Closed(f"stream {self.id}: reset {self.reset}, connection over {self.peer.over}, {self.peer.goaways}")
        return self

    def answer(self):
        """The other side's message, whole."""
        if not self.wait(lambda s: s.whole, f"the end of stream {self.id}"):
            raise Closed(f"stream {self.id}: reset {self.reset}, connection over {self.peer.over}, {self.peer.goaways}")
        return self

    def outcome(self):
        """("whole", status), ("reset", code) or ("gone", None)."""
        self.wait(lambda s: s.whole, f"an outcome of stream {self.id}")
        if self.whole:
            return "whole", self.status
        return ("reset", self.reset) if self.reset is not None else ("gone", None)

    # ---- saying

    def head(self, fields, end=False):
        self.peer.send_head(self.id, fields, end)

    def reply(self, status=200, body=b"", fields=(), trailers=None):
        if isinstance(body, str):
            body = body.encode()
        self.head([(":status", str(status)), *fields], end=not body and trailers is None)
        if body:
            self.data(body, end=trailers is None)
        if trailers is not None:
            self.head(trailers, end=True)

    def data(self, data, end=False):
        """As the other side's windows let it; what is left when the stream is gone is dropped."""
        at = 0
        while at < len(data) or (end and at == 0 and not data):
            n = self.peer.reserve(self, len(data) - at)
            if n is None:
                return False
            last = at + n == len(data)
            self.peer.send(h2.frame(h2.DATA, h2.END_STREAM if end and last else 0, self.id, data[at:at + n]))
            at += n
            if last:
                break
        return True

    def cancel(self, code=h2.CANCEL):
        self.peer.send(h2.reset(self.id, code))
