"""The service behind Holdfast, as a witness: it answers as a test scripts it and keeps every byte it was sent."""

import hashlib
import json
import socket
import ssl
import threading
import time

import canary

_KEEP = 1 << 20         # bytes of a connection, and of a body, that are kept for looking at


class Gone(Exception):
    """The peer closed."""


class Request:
    def __init__(self, head):
        lines = head.decode("latin-1").split("\r\n")
        self.head = head
        self.line = lines[0]
        parts = (lines[0].split(" ") + ["", "", ""])[:3]
        self.method, self.target, self.version = parts
        self.fields = []
        for line in lines[1:]:
            if line:
                name, _, value = line.partition(":")
                self.fields.append((name.lower(), value.strip()))
        self.body = b""             # the first bytes of it
        self.body_bytes = 0
        self.body_sha256 = ""
        self.trailers = []
        self.connection = None

    def get(self, name):
        return next((v for n, v in self.fields if n == name), None)

    def all(self, name):
        return [v for n, v in self.fields if n == name]


class Connection:
    """One connection as the service sees it: reading helpers for scripted answers, and the raw record."""

    def __init__(self, origin, sock, peer, number):
        self.origin, self.sock, self.peer, self.number = origin, sock, peer, number
        self.raw = bytearray()
        self.pending = bytearray()
        self.requests = []
        self.closed = threading.Event()
        self.server_name = None

    def read(self, most=65536):
        """Some bytes, or Gone."""
        if self.pending:
            data = bytes(self.pending[:most])
            del self.pending[:most]
            return data
        return self._receive(most)

    def _receive(self, most=65536):
        try:
            data = self.sock.recv(most)
        except (OSError, ssl.SSLError) as e:
            raise Gone(str(e)) from e
        if not data:
            raise Gone()
        if len(self.raw) < _KEEP:
            self.raw += data
        return data

    def _until(self, mark):
        while mark not in self.pending:
            self.pending += self._receive()
        end = self.pending.index(mark) + len(mark)
        data = bytes(self.pending[:end])
        del self.pending[:end]
        return data

    def read_head(self):
        request = Request(self._until(b"\r\n\r\n"))
        request.connection = self
        self.requests.append(request)
        self.origin._saw(request)
        return request

    def read_body(self, request, on_piece=None):
        digest = hashlib.sha256()
        for piece in self._body_pieces(request):
            digest.update(piece)
            request.body_bytes += len(piece)
            if len(request.body) < _KEEP:
                request.body += piece
            if on_piece:
                on_piece(piece)
        request.body_sha256 = digest.hexdigest()
        return request.body

    def _body_pieces(self, request):
        if (request.get("transfer-encoding") or "").lower() == "chunked":
            while True:
                size = int(self._until(b"\r\n").split(b";")[0], 16)
                if size == 0:
                    break
                yield from self._exactly(size)
                self._until(b"\r\n")
            line = self._until(b"\r\n")
            while line != b"\r\n":
                request.trailers.append(line.decode("latin-1").strip())
                line = self._until(b"\r\n")
        else:
            yield from self._exactly(int(request.get("content-length") or 0))

    def _exactly(self, n):
        while n > 0:
            piece = self.read(min(n, 1 << 18))
            n -= len(piece)
            yield piece

    def send(self, data):
        try:
            self.sock.sendall(data)
        except (OSError, ssl.SSLError) as e:
            raise Gone(str(e)) from e

    def reply(self, status=200, body=b"", fields=(), reason="Whatever"):
        if isinstance(body, str):
            body = body.encode()
        head = f"HTTP/1.1 {status} {reason}\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields)
        if status not in (204, 304) and not any(n.lower() == "content-length" for n, _ in fields):
            head += f"Content-Length: {len(body)}\r\n"
        self.send(head.encode("latin-1") + b"\r\n" + body)

    def say_end(self):
        """TLS's close_notify: the end of what we send is the end we meant."""
        self.sock.settimeout(5)
        try:
            self.sock = self.sock.unwrap()
        except (OSError, ssl.SSLError):
            pass

    def close(self):
        self.sock.close()


def echo(connection, request):
    """What every service answers unless told otherwise: what it was asked."""
    if (request.get("expect") or "").lower() == "100-continue":
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    connection.read_body(request)
    body = json.dumps({"method": request.method, "target": request.target, "fields": request.fields,
                       "body_bytes": request.body_bytes, "body_sha256": request.body_sha256})
    fields = [("Content-Type", "application/json")]
    if request.method == "HEAD":
        connection.reply(200, b"", fields + [("Content-Length", str(len(body)))])
    else:
        connection.reply(200, body, fields)


class Origin:
    """A threaded server. `answer(connection, request)` is called with each head; it may be changed at any time. When it
    returns True the connection is closed. leaf None: plain HTTP."""

    def __init__(self, address="127.0.0.1", port=0, leaf=None, answer=echo, minimum=None, maximum=None, ciphers=None,
                 greeting=b""):
        self.answer = answer
        self._greeting = greeting       # what it says before it is asked
        self.connections = []
        self.requests = []
        self._changed = threading.Condition()
        self._context = self._make_context(leaf, minimum, maximum, ciphers) if leaf else None
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, port), family=family, backlog=512)
        self.address, self.port = self._listener.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    @staticmethod
    def _make_context(leaf, minimum, maximum, ciphers):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(leaf.certificate, leaf.key)
        context.set_alpn_protocols(["http/1.1"])
        if ciphers:
            context.set_ciphers(ciphers)
        if minimum:
            context.minimum_version = minimum
        if maximum:
            context.maximum_version = maximum
        return context

    def _accept(self):
        while True:
            try:
                sock, peer = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                connection = Connection(self, sock, peer, len(self.connections))
                self.connections.append(connection)
                self._changed.notify_all()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            connection.sock.sendall(self._greeting)
            if self._context:
                connection.sock = self._context.wrap_socket(connection.sock, server_side=True)
            request = connection.read_head()
            while not self.answer(connection, request):     # the answer as it is now, not as it was when we began to wait
                request = connection.read_head()
        except (Gone, OSError, ssl.SSLError, ValueError):
            pass
        finally:
            connection.closed.set()
            connection.sock.close()

    def _saw(self, request):
        canary.tell_fields(request.fields)
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    # ---- asking the witness

    def wait(self, true, timeout=120, what="it to happen"):
        """Waits until true(self); a connection or a request wakes it."""
        end = time.monotonic() + timeout
        with self._changed:
            while not true(self):
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"the service waited {timeout} s for {what}")
                self._changed.wait(left)

    def wait_requests(self, n, timeout=120):
        self.wait(lambda o: len(o.requests) >= n, timeout, f"{n} requests (saw {len(self.requests)})")
        return self.requests[:n]

    def raw(self):
        return b"".join(bytes(c.raw) for c in self.connections)

    def forget(self):
        with self._changed:
            self.connections = []
            self.requests = []

    def stop(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()


class Trap:
    """Something that must not be reached: listens, and counts who came."""

    def __init__(self, address, port):
        self._origin = Origin(address, port, answer=lambda c, r: c.reply(200, "you should not be here") or True)
        self.address, self.port = self._origin.address, self._origin.port

    @property
    def visits(self):
        return len(self._origin.connections)

    def forget(self):
        self._origin.forget()

    def wait_visit(self):
        self._origin.wait(lambda o: o.connections, what="a visit")

    def stop(self):
        self._origin.stop()
