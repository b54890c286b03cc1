"""The binary we ship, under valgrind: whichever HTTP carries a request, nothing is read that was not written, and at the end nothing
is lost."""

import os
import shutil
import signal
import tempfile

import h2_frames as h2
import strangers
from h2_origin import H2Origin, silence, tunnel
from h2_scene import Asking, PATHS, SERVICES, Scene
from holdfast import (ADDRESSES, PRIVATE, PUBLIC, PUBLIC2, RELEASE, Origin, at_end, hosts, main, own_network, promise, rows,
                      skip_file)
from sockets import accept, echo_bytes, echo_stream, question

if shutil.which("valgrind") is None:
    skip_file("there is no valgrind")
if not os.path.exists(RELEASE):
    skip_file(f"{RELEASE} is not built")
own_network(ADDRESSES)
VALGRIND = ["valgrind", "--vgdb=no", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible",
            "--errors-for-leak-kinds=definite,indirect,possible", "--error-exitcode=99"]


class Watched(Scene):
    """The scene, and more: sockets at 8443, calls at calls.test, a service that never answers, a name that is none."""

    def __init__(self):
        with tempfile.NamedTemporaryFile(prefix="holdfast-valgrind-", delete=False) as f:
            self.report = f.name
        at_end(lambda: os.unlink(self.report))
        super().__init__(binary=RELEASE, argv_before=[*VALGRIND, f"--log-file={self.report}"])
        self.leaf = self.ws.leaf("one.test", "two.test", "calls.test")
        Origin(PUBLIC, 8443, self.leaf, answer=accept(echo_bytes))
        H2Origin(PUBLIC2, 8443, self.leaf, answer=echo_stream, settings={h2.ENABLE_CONNECT_PROTOCOL: 1})
        self.silent = H2Origin(PUBLIC2, 9443, self.leaf, answer=silence)

    def rules(self):
        def rule(host, port, more):
            return (f'{{ host = "{host}"; port = {port}; methods = "any"; paths = "any"; upstream_trust = "{self.ws.ca.file}"; '
                    f'credential = "orders"; bind = ["wimse"]; inject = "always"; {more} }}')
        more = [rule("one.test", 8443, "websocket = true;"), rule("two.test", 8443, 'websocket = true; http = "2";')]
        more += [rule("two.test", 9443, ""), rule("gone.test", 443, ""),
                 rule("calls.test", 443, f'http = "2"; addresses = ["{PRIVATE}"];')]
        return ", ".join([super().rules(), *more])

    def config(self, **changed):
        return super().config(names=hosts(one_test=PUBLIC, two_test=PUBLIC2, calls_test=PRIVATE), **changed)


s = Watched()


def socket_of(peer, host):
    """A stream that asked for a WebSocket and has heard its echo."""
    stream = peer.open(question(f"{host}:8443"), end=False)
    assert stream.wait_head().status == 200, stream.fields
    stream.data(b"hello")
    assert stream.wait(lambda s: s.body == b"hello", "the echo"), (stream.reset, stream.body)
    return stream


@rows(PATHS)
def requests_pass(row):
    _, client, service = row
    for path in ("/signed/a?bytes=70000&trailers=1", "/plain/b?early=103"):
        answer = s.asking(client, service)("POST", path, body=b"x" * 1000, trailers=[("x-sum", "1")])
        assert answer.status == 200, (path, answer.fields)


@rows([("h1",), ("h2",)])
def requests_are_refused(row):
    assert s.asking(row[0], "h2")("GET", "/denied").status == 403
    for host, status in (("denied.test", 403), ("gone.test", 502)):
        assert Asking(s.h, row[0], host)().status == status


@promise
def streams_are_given_up():
    with tunnel(s.h, "two.test:443") as peer:
        asked = [peer.request("GET", path, "two.test") for path in ("/plain/1", "/denied", "/signed/2")]
        peer.open(h2.request_fields("POST", "/plain/3", "two.test"), end=False).cancel(h2.CANCEL)
        assert [stream.answer().status for stream in asked] == [200, 403, 200]
        peer.ping()


@promise
def calls_pass():
    there = strangers.grpcio_service(s.ws, f"{PRIVATE}:443", s.leaf)
    for what, count, code in (("Once", 1, "0"), ("Talk", 3, "0"), ("Fail", 1, "9")):
        seen = strangers.grpcio(s.ws, s.h.proxy, s.h.ca, "calls.test:443", what, count)
        assert seen["codes"] == {code: 1}, seen
    there.stop()


@promise
def sockets_pass():
    for host in SERVICES.values():
        with tunnel(s.h, f"{host}:8443") as peer:
            ended, given_up = socket_of(peer, host), socket_of(peer, host)
            ended.data(b"", end=True)
            ended.wait(lambda stream: stream.whole, "its end")
            given_up.cancel(h2.CANCEL)
            peer.ping()


def and_nothing_is_lost():
    """Across reloads, and with a socket and a request that still run."""
    with tunnel(s.h, "two.test:8443") as socket, tunnel(s.h, "two.test:9443") as silent:
        socket_of(socket, "two.test")
        silent.request("POST", "/wait", "two.test:9443", body=b"x" * 100000)
        s.silent.wait_requests(1)
        assert s.h.reload(s.config())["msg"] == "config reloaded"
        assert s.h.reload(lambda h: s.config()(h).replace("methods =", "methdos ="))["msg"] == "config rejected"
        assert s.asking("h2", "h2")("GET", "/signed/c").status == 200
        s.h.kill(signal.SIGINT)
        code = s.h.wait_exit(300)
    with open(s.report, encoding="utf-8") as f:
        report = f.read()
    assert code == 0 and "ERROR SUMMARY: 0 errors" in report, (code, report, s.h.tail())
    s.ws.remove()


main(and_nothing_is_lost)
