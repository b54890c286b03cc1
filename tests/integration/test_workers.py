"""Several workers: connections are spread over them, and whatever holds, holds on each."""

import os
import signal
import subprocess

from holdfast import ADDRESSES, PROXY_UID, WORKLOAD_UID, Holdfast, Sidecar, main, own_network, promise

own_network(ADDRESSES)
WORKERS = 3
MANY = 48                   # connections: that all of them meet one worker happens once in 3^47
s = Sidecar(workers=WORKERS)


def states():
    mark = s.h.index()
    s.h.kill(signal.SIGUSR2)
    return [s.h.wait_line(lambda li: li.get("msg") == "state" and li["worker"] == w, mark) for w in range(WORKERS)]


def started_on(workers, *argv):
    h = Holdfast(s.ws, s.config(workers=workers), name="counted", argv_before=argv)
    n = h.wait_for("ready")["workers"]
    h.stop()
    return n


@promise
def there_are_as_many_as_are_asked_for_or_as_there_are_cpus():
    assert started_on(5) == 5
    assert started_on(0, "taskset", "-c", "0") == 1
    assert started_on(0) <= len(os.sched_getaffinity(0))


@promise
def each_serves_some_of_the_connections():
    before = states()
    for _ in range(MANY):
        assert s.h.get().status == 200
    served = [now["served"] - then["served"] for now, then in zip(states(), before)]
    assert sum(served) == MANY and sum(n > 0 for n in served) > 1, served


@promise
def no_two_exchanges_have_one_number():
    lines = s.h.requests()
    assert len({li["x"] for li in lines}) == len(lines)


@promise
def each_has_taken_a_reload_over_when_it_is_told():
    for path in ("/one", "/two", "/three"):
        line = s.h.reload(s.config(rules=s.rule(paths=f'["{path}"]')))
        assert line["msg"] == "config reloaded", line
        for _ in range(MANY):
            answer = s.h.get(path)
            assert answer.status == 200, (answer.status, answer.reason)
        assert s.h.get("/zero").reason == "path_not_allowed"
    assert {li["generation"] for li in states()} == {line["generation"]}
    assert s.h.reload(s.config())["msg"] == "config reloaded"


@promise
def nobody_else_can_listen_beside_us():
    """Sockets that share a port must be of one uid: a workload that could join would be handed others' connections."""
    host, port = s.h.door("forward")
    steal = ("import socket, sys; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)\n"
             f"s.bind((sys.argv[1], {port})); s.listen()")
    for address in (host, "0.0.0.0"):
        for uid in (WORKLOAD_UID, PROXY_UID):
            done = subprocess.run(["setpriv", f"--reuid={uid}", "--clear-groups", "/usr/bin/python3", "-c", steal, address],
                                  capture_output=True, text=True, check=False)
            assert done.returncode != 0 and "Address already in use" in done.stderr, (address, uid, done)


@promise
def a_second_instance_does_not_join_the_first():
    """The kernel would let it, since both bind as root: and it would take some of the connections."""
    listen = "%s:%d" % s.h.door("forward")
    second = Holdfast(s.ws, s.config(workers=WORKERS, listen=listen), name="second", wait=False)
    assert second.wait_exit(60) == 75, second.tail()
    assert "cannot listen" in second.tail() and "Address already in use" in second.tail(), second.tail()
    for _ in range(MANY):
        assert s.h.get().status == 200


@promise
def a_drain_lets_the_exchanges_of_all_workers_end():
    h = Holdfast(s.ws, s.config(workers=WORKERS), name="drained")
    running = [h.tls() for _ in range(12)]
    for c in running:
        c.send("POST /slow HTTP/1.1\r\nHost: allowed.test\r\nContent-Length: 4\r\n\r\n")
    s.origin.wait(lambda o: sum(r.target == "/slow" for r in o.requests) == len(running))
    h.kill(signal.SIGTERM)
    for worker in range(WORKERS):
        h.wait_line(lambda li: li.get("msg") == "draining" and li["worker"] == worker)
    for c in running:
        c.send("body")
        assert c.read_answer("POST").status == 200
    for c in running:
        c.close()
    assert h.wait_exit() == 0
    h.assert_clean()


@promise
def a_port_the_kernel_chose_is_one_for_all():
    assert len(s.h.doors("forward")) == 1
    with open("/proc/net/tcp", encoding="ascii") as f:
        listening = [li.split() for li in f if li.split()[3] == "0A"]
    port = s.h.door("forward")[1]
    assert sum(int(li[1].split(":")[1], 16) == port for li in listening) == WORKERS


main(s.end)
