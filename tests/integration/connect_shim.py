"""For clients that know no proxy: whoever connects here is put through to one target, by a CONNECT of the workload's own."""

import contextlib
import socket
import threading

from client import WORKLOAD_UID, Channel, connect


class Shim:
    def __init__(self, door, target, address="127.0.0.1", port=0, uid=WORKLOAD_UID):
        self.door, self.target, self.uid = door, target, uid
        self._listener = socket.create_server((address, port), backlog=512)
        self.address, self.port = self._listener.getsockname()[:2]
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._put_through, args=(sock,), daemon=True).start()

    def _put_through(self, sock):
        channel = Channel(connect(*self.door, uid=self.uid, timeout=600))
        channel.send(f"CONNECT {self.target} HTTP/1.1\r\nHost: {self.target}\r\n\r\n")
        if channel.read_answer("CONNECT").status == 200:
            threading.Thread(target=pour, args=(channel.sock, sock), daemon=True).start()
            pour(sock, channel.sock)
        sock.close()


def pour(source, sink):
    """One way, to its end."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
