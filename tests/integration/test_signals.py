"""Signals: TERM drains, INT and QUIT do not wait, USR1 opens the log anew, USR2 tells the state, and a storm of them harms nothing."""

import json
import os
import random
import signal

from holdfast import (ADDRESSES, PROXY_UID, PUBLIC, Channel, Closed, Holdfast, Origin, Workspace, connect, forward_config, main,
                      own_network, promise, rows)
from patience import until
from stream import Stream

own_network(ADDRESSES)
ws = Workspace()
origin = Origin(PUBLIC, 443, ws.leaf("allowed.test"))
RULE = f'{{ host = "allowed.test"; methods = "any"; paths = "any"; upstream_trust = "{ws.ca.file}"; }}'
numbers = iter(range(1000))


def start(**more):
    return Holdfast(ws, forward_config(RULE, **more), name=f"signals-{next(numbers)}")


@promise
def term_lets_what_runs_finish_and_takes_nothing_new():
    h = start()
    door = h.door()
    stream = Stream(h, origin)
    mark = h.mark()
    h.kill(signal.SIGTERM)
    h.wait_draining(mark)
    assert _is_shut(door), "a new connection was served"
    assert stream.ends_whole(), "what ran was cut"
    assert h.wait_exit() == 0
    h.assert_clean()


def _is_shut(door):
    """One that came before the doors were shut may be taken by the kernel, but nobody answers it."""
    for _ in range(1000):
        try:
            with Channel(connect(*door)) as c:
                c.send("CONNECT allowed.test:443 HTTP/1.1\r\nHost: allowed.test:443\r\n\r\n")
                assert c.is_closed(), "a new connection was served"
        except (ConnectionRefusedError, ConnectionResetError, Closed):
            return True
    return False


@promise
def term_does_not_wait_for_idle_connections():
    h = start()
    idle = [h.open() for _ in range(3)]
    kept = h.tls()
    assert kept.request("GET", "/", "allowed.test").status == 200
    h.stop()
    assert all(c.is_closed() for c in [*idle, kept])


@promise
def draining_ends_at_its_deadline():
    h = start(limits='drain = "500ms";')
    stream = Stream(h, origin)
    h.stop()
    assert not stream.ends_whole()


@promise
def a_second_term_does_not_wait():
    h = start()
    stream = Stream(h, origin)
    mark = h.mark()
    h.kill(signal.SIGTERM)
    h.wait_for("draining", since=mark)
    h.kill(signal.SIGTERM)
    h.wait_exit(10)
    h.assert_clean()
    assert not stream.ends_whole()


@rows([("int", signal.SIGINT), ("quit", signal.SIGQUIT)])
def does_not_wait(row):
    h = start()
    stream = Stream(h, origin)
    h.kill(row[1])
    assert h.wait_exit(10) == 0
    h.assert_clean()
    assert not stream.ends_whole()


@promise
def usr1_opens_the_log_anew():
    folder = ws.directory("logs")
    path = os.path.join(folder, "holdfast.log")
    h = Holdfast(ws, forward_config(RULE, log=f'log = {{ path = "{path}"; format = "json"; }};'), name="rotate", wait=False)
    door = _door_in(path, h)
    _ask(h, door, "/before")
    until(lambda: "/before" in open(path, encoding="utf-8").read())     # the answer comes before its line
    os.rename(path, path + ".1")
    h.kill(signal.SIGUSR1)
    until(lambda: os.path.exists(path))
    _ask(h, door, "/after")
    until(lambda: "/after" in open(path, encoding="utf-8").read())
    assert "/before" in open(path + ".1", encoding="utf-8").read()
    assert os.stat(path).st_uid == PROXY_UID and not os.stat(path).st_mode & 0o007
    for line in open(path, encoding="utf-8"):
        json.loads(line)
    h.kill(signal.SIGTERM)
    assert h.wait_exit() == 0


def _door_in(path, h):
    def ready():
        h.assert_alive()
        return os.path.exists(path) and '"ready"' in open(path, encoding="utf-8").read()
    until(ready)
    for line in open(path, encoding="utf-8"):
        told = json.loads(line)
        if told["msg"] == "door open":
            address, _, port = told["address"].rpartition(":")
            return address, int(port)


def _ask(h, door, path):
    h.lines.append({"msg": "door open", "kind": "forward", "address": "%s:%d" % door})
    assert h.get(path).status == 200


@promise
def usr2_tells_the_state():
    h = start()
    with h.tls() as c:
        assert c.request("GET", "/", "allowed.test").status == 200
        mark = h.index()
        h.kill(signal.SIGUSR2)
        workers = range(h.wait_for("ready")["workers"])
        lines = [h.wait_line(lambda li: li.get("msg") == "state" and li["worker"] == w, mark) for w in workers]
        assert {li["generation"] for li in lines} == {1}, lines
        assert sum(li["connections"] for li in lines) == sum(li["served"] for li in lines) == 1, lines
    h.stop()


@promise
def a_storm_of_signals_harms_nothing():
    h = start()
    chance = random.Random(7)
    with h.tls() as c:
        for i in range(300):
            h.kill(chance.choice([signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGPIPE, signal.SIGCHLD, signal.SIGWINCH]))
            assert c.request("GET", f"/{i}", "allowed.test").status == 200
    h.stop()


main(ws.remove)
