"""A service that speaks HTTP/2, as a witness: answers as a test scripts it, stream by stream."""

import contextlib
import json
import socket
import ssl
import threading
import time

import canary
import h2_frames as h2
from h2_peer import Peer


def echo(stream):
    """What it was asked, as origin.echo tells it."""
    if (stream.get("expect") or "").lower() == "100-continue":
        stream.head([(":status", "100")])
    stream.answer()
    body = json.dumps({"method": stream.method, "target": stream.target, "fields": stream.fields,
                       "body_bytes": stream.body_bytes, "body_sha256": stream.body_sha256})
    fields = [("content-type", "application/json"), ("content-length", str(len(body)))]
    stream.reply(200, b"" if stream.method == "HEAD" else body, fields)


class H2Origin:
    """`answer(stream)` is called with each request's head, in a thread of its own; `on_connection(peer)` with each connection.
    leaf None: prior knowledge in clear text. greeting False: `on_connection` says even the settings."""

    def __init__(self, address, port=443, leaf=None, answer=echo, settings=None, greeting=True, on_connection=None, keep=1 << 20,
                 window=1 << 20, inline=False):
        self.answer, self.settings, self.greeting, self.on_connection = answer, settings, greeting, on_connection
        self.more = {"keep": keep, "window": window, "inline": inline}
        self.connections, self.requests, self.protocols = [], [], []
        self._changed = threading.Condition()
        self._context = None
        if leaf:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(leaf.certificate, leaf.key)
            self._context.set_alpn_protocols(["h2"])
        self._listener = socket.create_server((address, port), backlog=512)
        self.address, self.port = self._listener.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._begin, args=(sock,), daemon=True).start()

    def _begin(self, sock):
        try:
            sock.settimeout(120)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context:
                sock = self._context.wrap_socket(sock, server_side=True)
            protocol = sock.selected_alpn_protocol() if self._context else "h2c"
        except (OSError, ssl.SSLError):
            sock.close()
            return
        self.protocols.append(protocol)
        if protocol not in ("h2", "h2c"):
            sock.close()
            return
        peer = Peer(sock, True, self.settings, self._stream, self.greeting, **self.more)
        with self._changed:
            self.connections.append(peer)
            self._changed.notify_all()
        if self.on_connection:
            with contextlib.suppress(OSError):
                self.on_connection(peer)

    def _stream(self, stream):
        canary.tell_fields(stream.fields or ())
        with self._changed:
            self.requests.append(stream)
            self._changed.notify_all()
        self.answer(stream)

    def wait(self, true, what="it to happen", timeout=120):
        end = time.monotonic() + timeout
        with self._changed:
            while not true(self):
                left = end - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"the service waited {timeout} s for {what}")
                self._changed.wait(left)

    def wait_requests(self, n):
        self.wait(lambda o: len(o.requests) >= n, f"{n} requests (saw {len(self.requests)})")
        return self.requests[:n]

    def forget(self):
        with self._changed:
            self.connections, self.requests = [], []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def hang_up(self):
        for peer in self.connections:
            peer.close()

    def stop(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()


def client_context(h):
    """For h's workload: HTTP/2 or nothing."""
    context = h.client_context()
    context.set_alpn_protocols(["h2"])
    return context


def tunnel(h, target="allowed.test:443", uid=None, context=None, **more):
    """HTTP/2 inside TLS inside CONNECT, through h: a Peer."""
    told = {} if uid is None else {"uid": uid}
    channel = h.tls(target, context=context or client_context(h), **told)
    assert channel.sock.selected_alpn_protocol() == "h2", channel.sock.selected_alpn_protocol()
    return Peer(channel.sock, False, **more)


def direct(address, port, leaf_ca, name, **more):
    """HTTP/2 inside TLS, to a service or a gate itself."""
    context = ssl.create_default_context(cafile=leaf_ca)
    context.set_alpn_protocols(["h2"])
    sock = socket.create_connection((address, port), timeout=120)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Peer(context.wrap_socket(sock, server_hostname=name), False, **more)


def silence(_):
    """An answer that never comes."""


def refused(peer):
    """The code of the connection's end, once it came; None when it closed without a word."""
    peer.wait_over()
    return peer.goaways[-1][1] if peer.goaways else None


__all__ = ["H2Origin", "client_context", "direct", "echo", "h2", "refused", "silence", "tunnel"]
