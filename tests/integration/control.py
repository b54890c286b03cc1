"""The operator: the control socket spoken to by hand, and the verbs of the command line."""

import contextlib
import functools
import json
import socket
import subprocess

from holdfast import BINARY


class Gone(Exception):
    """The other end closed where a line was due."""


class Control:
    """One connection to a control socket."""

    def __init__(self, path, timeout=120):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.pending = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data if isinstance(data, bytes) else data.encode())

    def say(self, verb, **members):
        self.send(json.dumps({"verb": verb, **members}) + "\n")

    def line(self):
        """The next line, as JSON; Gone at the end."""
        while b"\n" not in self.pending:
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Gone(self.pending)
            self.pending += data
        line, _, self.pending = self.pending.partition(b"\n")
        return json.loads(line)

    def ask(self, verb, **members):
        self.say(verb, **members)
        return self.line()

    def is_closed(self):
        try:
            self.line()
        except Gone:
            return True
        return False

    def follow(self, **filters):
        """A tail that has begun."""
        answer = self.ask("tail", **filters)
        assert answer == {"ok": True}, answer
        return self


def ask(path, verb, **members):
    with Control(path) as c:
        return c.ask(verb, **members)


@contextlib.contextmanager
def life(path, grant):
    """One task of this grant: what begins it is told; its end, at the latest here, is a function that says what came of it."""
    told = ask(path, "task_start", grant=grant)
    assert told["ok"], told
    end = functools.cache(lambda: ask(path, "task_end", id=told["id"]))
    try:
        yield end
    finally:
        assert end()["ok"], end()


def holdfast(*words, before=(), timeout=300, **more):
    return subprocess.run([*before, BINARY, *words], capture_output=True, text=True, timeout=timeout, check=False, **more)
