"""What was tried against doors, workers and secrets once there were several of each, and once worked."""

import signal
import threading

from holdfast import ADDRESSES, WORKLOAD_UID, Sidecar, echo, main, own_network, promise, run_as

own_network(ADDRESSES)
s = Sidecar(limits='drain = "300s";')


# ---- a port that is left

BIND = """
import socket, sys
for options in ((), ("SO_REUSEADDR",), ("SO_REUSEPORT",), ("SO_REUSEADDR", "SO_REUSEPORT")):
    for address in ("127.0.0.1", "0.0.0.0"):
        with socket.socket() as s:
            for o in options:
                s.setsockopt(socket.SOL_SOCKET, getattr(socket, o), 1)
            try:
                s.bind((address, int(sys.argv[1])))
                s.listen()
                print("took", address, *options)
            except OSError:
                pass
"""


def taken_by_the_workload(port):
    done = run_as(WORKLOAD_UID, ["/usr/bin/python3", "-c", BIND, str(port)])
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


@promise
def the_workload_cannot_listen_on_our_port_neither_while_we_serve_nor_while_we_drain():
    go = threading.Event()

    def hold(connection, request):
        go.wait(300)
        return echo(connection, request)

    port = s.h.door()[1]
    assert taken_by_the_workload(port) == ""
    s.origin.answer = hold
    try:
        with s.h.tls() as c:
            c.send_request("GET", "/", "allowed.test")
            s.origin.wait(lambda o: o.requests, 90, "the request")
            s.h.kill(signal.SIGTERM)
            for worker in range(2):
                s.h.wait_line(lambda li: li.get("msg") == "draining" and li["worker"] == worker, what="the drain")
            assert taken_by_the_workload(port) == ""
            go.set()
            assert c.read_answer().status == 200
    finally:
        go.set()
    assert s.h.wait_exit() == 0
    s.h.assert_clean()


main(s.ws.remove)
