"""One end of an HTTP/2 connection, ours: says what a test tells it to, keeps what it is told. It checks nothing."""

import contextlib
import select
import socket
import ssl
import struct
import threading
import time

import h2_frames as h2
from client import Closed
from h2_stream import PATIENCE, Stream


class Peer:
    """Either end. `on_stream(stream)` is called, in a thread of its own, with each stream that the other side opens; inline: on
    the connection's own thread, where it must not wait."""

    def __init__(self, sock, server, settings=None, on_stream=None, greeting=True, window=1 << 20, keep=1 << 20, inline=False):
        self.sock, self.server, self.on_stream, self.inline = sock, server, on_stream, inline
        self.told = {}                          # the other side's settings
        self.settings_seen = 0
        self.initial_window, self.window, self.frame_size = h2.WINDOW, h2.WINDOW, 16384
        self.streams, self.next_id = {}, 1
        self.goaways, self.pongs, self.frames = [], [], 0
        self.over = False
        self.reads, self.answers, self.credits = True, greeting, True   # the manners that a test takes from it
        self.keep = keep
        self._changed = threading.Condition()
        self._out = bytearray()
        self._close = False
        self._wake, self._woken = socket.socketpair()
        self._reader, self._decoder, self._encoder = h2.Reader(), h2.decoder(), h2.hpack.Encoder()
        self._block, self._preface = None, server
        sock.setblocking(False)
        if greeting:
            own = {h2.INITIAL_WINDOW_SIZE: window, **(settings or {})}
            self.send((b"" if server else h2.PREFACE) + h2.settings(own) + h2.window_update((1 << 30)))
        threading.Thread(target=self._live, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- sending

    def send(self, data):
        with self._changed:
            self._out += data
        self._ring()

    def _ring(self):
        with contextlib.suppress(OSError):
            self._wake.send(b"x")

    def unsent(self):
        with self._changed:
            return len(self._out)

    def flush(self, timeout=PATIENCE):
        """Until the kernel has taken all, or it is over."""
        self.wait(lambda p: not p._out or p.over, "all to be sent", timeout)

    def close(self):
        with self._changed:
            self._close = True
        self._ring()

    def send_head(self, stream, fields, end=False):
        """In one step: the encoder's table must change in the order in which blocks are sent."""
        with self._changed:
            block = self._encoder.encode(fields)
            pieces = [block[i:i + 16384] for i in range(0, len(block), 16384)] or [b""]
            self._out += h2.headers(stream, pieces[0], end, len(pieces) == 1)
            for i, piece in enumerate(pieces[1:], 2):
                self._out += h2.frame(h2.CONTINUATION, h2.END_HEADERS if i == len(pieces) else 0, stream, piece)
        self._ring()

    def reserve(self, stream, wanted):
        """How much of a body may go now; waits for windows. None: nothing more can."""
        if wanted == 0:
            return 0
        self.wait(lambda p: p.over or stream.reset is not None or min(p.window, stream.window) > 0, "a window", 3600)
        with self._changed:
            if self.over or stream.reset is not None:
                return None
            n = min(wanted, self.window, stream.window, self.frame_size)
            self.window -= n
            stream.window -= n
            return n

    # ---- as a client

    def open(self, fields, end=True):
        with self._changed:
            stream = self.streams[self.next_id] = Stream(self, self.next_id)
            self.next_id += 2
            self.send_head(stream.id, fields, end)
        return stream

    def request(self, method="GET", path="/", authority="allowed.test", fields=(), body=None, trailers=None, scheme="https"):
        stream = self.open(h2.request_fields(method, path, authority, scheme, fields), end=body is None and trailers is None)
        if body is not None:
            stream.data(body, end=trailers is None)
        if trailers is not None:
            stream.head(trailers, end=True)
        return stream

    def ping(self, data=b"are-you?"):
        """Waits for the answer: what was sent before has been read."""
        before = len(self.pongs)
        self.send(h2.ping(data))
        self.wait(lambda p: p.over or len(p.pongs) > before, "an answer to PING")
        if len(self.pongs) <= before:
            raise Closed(f"{self.goaways}")

    # ---- asking the witness

    def wait(self, true, what, timeout=PATIENCE):
        end = time.monotonic() + timeout
        with self._changed:
            while not true(self):
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"this end of HTTP/2 waited {timeout} s for {what}")
                self._changed.wait(left)

    def wait_over(self, timeout=PATIENCE):
        self.wait(lambda p: p.over, "the connection's end", timeout)

    # ---- its thread

    def _live(self):
        try:
            while not (self._close and not self._out):
                self._write()
                if self.reads and self._pending():
                    self._read()
                    continue
                self._rest()
        except (OSError, ssl.SSLError, h2.hpack.HPACKError, ValueError, struct.error) as e:
            self.failure = e
        finally:
            with self._changed:
                self.over = True
                self._changed.notify_all()
            self.sock.close()
            self._wake.close()
            self._woken.close()

    def _rest(self):
        """Until there is something to do. With poll: a test may have thousands of descriptors."""
        wanted = (select.POLLIN if self.reads else 0) | (select.POLLOUT if self._out else 0)
        poll = select.poll()
        poll.register(self._woken, select.POLLIN)
        if wanted:
            poll.register(self.sock, wanted)
        ready = dict(poll.poll(1000))
        if self._woken.fileno() in ready:
            self._woken.recv(4096)
        if self.reads and ready.get(self.sock.fileno(), 0) & ~select.POLLOUT:
            self._read()

    def _pending(self):
        return isinstance(self.sock, ssl.SSLSocket) and self.sock.pending() > 0

    def _write(self):
        with self._changed:
            data = bytes(self._out[:65536])
        while data:
            try:
                n = self.sock.send(data)
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError):
                return
            with self._changed:
                del self._out[:n]
                data = bytes(self._out[:65536])
                self._changed.notify_all()

    def _read(self):
        try:
            data = self.sock.recv(65536)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        if not data:
            raise ConnectionError("the end")
        self._reader.feed(data)
        if self._preface:
            front = self._reader.take(len(h2.PREFACE))
            if front is None:
                return
            if front != h2.PREFACE:
                raise ConnectionError(f"no preface: {front!r}")
            self._preface = False
        with self._changed:
            for seen in self._reader:
                self.frames += 1
                self._take(*seen)
            self._changed.notify_all()

    def _take(self, kind, flags, number, payload):
        take = {h2.DATA: self._data, h2.HEADERS: self._headers, h2.CONTINUATION: self._continuation, h2.SETTINGS: self._settings,
                h2.RST_STREAM: self._reset, h2.PING: self._ping, h2.GOAWAY: self._goaway,
                h2.WINDOW_UPDATE: self._window}.get(kind)
        if take:
            take(flags, number, payload)

    def _data(self, flags, number, payload):
        data = h2.unpadded(flags, payload)
        stream = self.streams.get(number)
        if stream is not None:
            stream.pieces += 1
            self._keep(stream, data)
            stream.whole = stream.whole or bool(flags & h2.END_STREAM)
        if self.credits and payload:
            ended = flags & h2.END_STREAM or stream is None
            self.send(h2.window_update(len(payload)) + (b"" if ended else h2.window_update(len(payload), number)))

    def _keep(self, stream, data):
        stream.body_bytes += len(data)
        stream.digest.update(data)
        if len(stream.body) < self.keep:
            stream.body += data

    def _headers(self, flags, number, payload):
        block = h2.unpadded(flags, payload)
        self._block = [number, flags, block[5:] if flags & 32 else block]
        self._whole_block(flags)

    def _continuation(self, flags, number, payload):
        del number
        self._block[2] += payload
        self._whole_block(flags)

    def _whole_block(self, flags):
        if not flags & h2.END_HEADERS:
            return
        number, first, block = self._block
        decoded = self._decoder.decode(block, raw=True)
        fields = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in decoded]
        fresh = number not in self.streams
        stream = self.streams.setdefault(number, None) or Stream(self, number)
        self.streams[number] = stream
        stream.sensitive |= {t[0].decode("latin-1") for t in decoded if not t.indexable}
        if stream.fields is not None:
            stream.trailers = fields
        elif not self.server and 100 <= int(dict(fields).get(":status", "0")) < 200:
            stream.interim.append(fields)
        else:
            stream.fields = fields
        stream.whole = stream.whole or bool(first & h2.END_STREAM)
        if fresh and self.on_stream and self.inline:
            self._served(stream)
        elif fresh and self.on_stream:
            threading.Thread(target=self._served, args=(stream,), daemon=True).start()

    def _served(self, stream):
        with contextlib.suppress(Closed, OSError):
            self.on_stream(stream)

    def _settings(self, flags, _, payload):
        if flags & h2.ACK:
            return
        self.settings_seen += 1
        for i in range(0, len(payload) - 5, 6):
            key, value = struct.unpack_from(">HI", payload, i)
            self._setting(key, value)
        if self.answers:
            self.send(h2.frame(h2.SETTINGS, h2.ACK))

    def _setting(self, key, value):
        self.told[key] = value
        if key == h2.INITIAL_WINDOW_SIZE:
            for s in self.streams.values():
                s.window += value - self.initial_window
            self.initial_window = value
        elif key == h2.MAX_FRAME_SIZE:
            self.frame_size = value
        elif key == h2.HEADER_TABLE_SIZE:
            self._encoder.header_table_size = min(value, 4096)

    def _reset(self, _, number, payload):
        if number in self.streams:
            self.streams[number].reset = struct.unpack(">I", payload)[0]

    def _ping(self, flags, _, payload):
        if flags & h2.ACK:
            self.pongs.append(payload)
        elif self.answers:
            self.send(h2.ping(payload, ack=True))

    def _goaway(self, _, __, payload):
        last, code = struct.unpack_from(">II", payload)
        self.goaways.append((last, code, payload[8:]))

    def _window(self, _, number, payload):
        n = struct.unpack(">I", payload)[0]
        if number == 0:
            self.window += n
        elif number in self.streams:
            self.streams[number].window += n
