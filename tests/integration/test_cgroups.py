"""Callers by where they run: control groups that this file makes itself, named as runtimes name theirs."""

import contextlib
import os
import signal
import socket

from client import Channel
from holdfast import (ADDRESSES, OTHER_UID, WORKLOAD_UID, Sidecar, Skip, grant, main, own_network, promise, skip_file)
from promise import at_end

own_network(ADDRESSES)

CONTAINER = "0123456789abcdef" * 4
OTHER = "fedcba9876543210" * 4
POD = "7d9c1a52-0f3e-4b1d-8f43-6f2d1f0b9c11"
SLICE = f"kubepods-besteffort-pod{POD.replace('-', '_')}.slice"


def find_tree():
    for place in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        if os.path.exists(os.path.join(place, "cgroup.procs")):
            return place
    return skip_file("there is no control group hierarchy of version 2")


TREE = find_tree()
OURS = f"holdfast-test-{os.getpid()}"
made = []


def group(*names, owner=0):
    """Its path, as /proc/PID/cgroup tells it; made if it is not there."""
    path = os.path.join(TREE, OURS)
    for name in ("", *names):
        path = os.path.join(path, name).rstrip("/")
        if os.path.isdir(path):
            continue
        try:
            os.mkdir(path)
        except OSError as e:
            skip_file(f"a control group cannot be made: {e.strerror}")
        made.append(path)
    if owner:
        os.chown(path, owner, owner)
    return path[len(TREE):]


held = set()


def put_away():
    for pid in held:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    for path in reversed(made):
        with contextlib.suppress(OSError):
            os.rmdir(path)


at_end(put_away)

PLAIN = group("agent.service")
BELOW = group("agent.service", "worker")
DOCKER = group(f"docker-{CONTAINER}.scope")
KUBE = group("kubepods.slice", SLICE, f"cri-containerd-{CONTAINER}.scope")
# Where the workload may make groups of its own, it names one as a runtime would.
MINE = group("user.slice", owner=WORKLOAD_UID)
FAKE = group("user.slice", f"docker-{CONTAINER}.scope")


class Peer(Channel):
    def __init__(self, sock, pid):
        super().__init__(sock)
        self.sock.settimeout(120)
        self.pid = pid
        held.update({pid} - {None})

    def close(self):
        super().close()
        self.leave()

    def leave(self):
        if self.pid in held:
            held.remove(self.pid)
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def connect(to, where, uid=WORKLOAD_UID, stays=True):
    """A connection that a process in that group made, which stays there. to: a path, or (address, port)."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    child = os.fork()
    if child == 0:
        try:
            if where is not None:
                with open(os.path.join(TREE + where, "cgroup.procs"), "w", encoding="ascii") as f:
                    f.write(str(os.getpid()))
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            sock = socket.socket(socket.AF_UNIX if isinstance(to, str) else socket.AF_INET)
            sock.connect(to)
            socket.send_fds(there, [b"x"], [sock.fileno()])
            if stays:
                signal.pause()
        except OSError as e:
            there.send(str(e).encode())
        os._exit(0)
    with here, there:
        said, fds, _, _ = socket.recv_fds(here, 200, 1)
    if not stays:
        os.waitpid(child, 0)
        child = None
    assert fds, said
    return Peer(socket.socket(fileno=fds[0]), child)


DOOR = f"/run/holdfast-cgroups-{os.getpid()}/door.sock"


class Scene(Sidecar):
    def __init__(self):
        super().__init__(doors=f""", {{ kind = "unix"; path = "{DOOR}"; mode = "0666"; }} """)

    def for_caller(self, caller):
        told = self.config(grants=grant(self.rule(), caller=f"{{ {caller} }}"))
        assert self.h.reload(told)["msg"] == "config reloaded", self.h.tail()


s = Scene()
TCP = s.h.door("forward")


def ask(by):
    mark, n = s.h.mark(), len(s.origin.requests)
    by.send("CONNECT allowed.test:443 HTTP/1.1\r\nHost: allowed.test:443\r\n\r\n")
    answer = by.read_answer("CONNECT")
    assert answer.status == 200, answer.line
    by.start_tls(s.h.client_context(), "allowed.test")
    answer = by.request("GET", "/", "allowed.test")
    by.close()
    line = s.h.wait_requests(1, mark)[0]
    assert len(s.origin.requests) - n == (answer.status == 200)
    return answer, line


def served(by, *words):
    answer, line = ask(by)
    assert answer.status == 200, (answer.line, answer.body, line)
    for word in words:
        assert word in line["who"].split(","), line["who"]


def refused(by, reason):
    answer, line = ask(by)
    assert answer.status == 403 and answer.reason == reason == line["reason"], (answer.line, answer.body, line)
    return line


def has_peer_descriptors():
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    with here, there:
        try:
            os.close(here.getsockopt(socket.SOL_SOCKET, 77))
            return True
        except OSError:
            return False


DOORS = [TCP, DOOR] if has_peer_descriptors() else [TCP]


@promise
def by_its_control_group_and_any_below_it():
    s.for_caller(f'cgroup = "{PLAIN}";')
    for to in DOORS:
        served(connect(to, PLAIN), f"cgroup:{PLAIN}")
        served(connect(to, BELOW), f"cgroup:{BELOW}")
        refused(connect(to, DOCKER), "caller_not_allowed")
        refused(connect(to, None), "caller_not_allowed")


@promise
def a_group_whose_name_only_begins_alike_is_another():
    s.for_caller(f'cgroup = "{PLAIN[:-1]}";')
    for to in DOORS:
        refused(connect(to, PLAIN), "caller_not_allowed")


@promise
def by_its_container():
    s.for_caller(f'container = "{CONTAINER}"; uid = {WORKLOAD_UID};')
    for to in DOORS:
        served(connect(to, DOCKER), f"container:{CONTAINER}", f"uid:{WORKLOAD_UID}")
        served(connect(to, KUBE), f"container:{CONTAINER}", f"pod:{POD}")
        refused(connect(to, DOCKER, OTHER_UID), "caller_not_allowed")
        refused(connect(to, PLAIN), "caller_unknown")
    s.for_caller(f'container = "{OTHER}";')
    for to in DOORS:
        refused(connect(to, DOCKER), "caller_not_allowed")


@promise
def by_its_pod():
    s.for_caller(f'pod = "{POD}";')
    for to in DOORS:
        served(connect(to, KUBE), f"pod:{POD}")
        refused(connect(to, DOCKER), "caller_unknown")
        refused(connect(to, None), "caller_unknown")


@promise
def a_name_that_the_workload_may_have_made_is_not_believed():
    s.for_caller(f'container = "{CONTAINER}";')
    for to in DOORS:
        refused(connect(to, FAKE), "caller_unknown")
    s.for_caller(f'cgroup = "{FAKE}";')     # where it runs is so all the same
    for to in DOORS:
        served(connect(to, FAKE), f"cgroup:{FAKE}")


@contextlib.contextmanager
def unheard():
    """Who connects meanwhile is not accepted before it is over."""
    s.h.kill(signal.SIGSTOP)
    try:
        yield
    finally:
        s.h.kill(signal.SIGCONT)


@promise
def a_peer_that_has_gone_is_of_no_container():
    if DOOR not in DOORS:
        raise Skip("this kernel gives no descriptor of a peer")
    s.for_caller(f'container = "{CONTAINER}";')
    with unheard():
        by = connect(DOOR, DOCKER, stays=False)
    refused(by, "caller_unknown")
    s.for_caller(f"gid = {WORKLOAD_UID};")
    with unheard():
        by = connect(DOOR, DOCKER, stays=False)
    served(by)


def have_pid(pid, where):
    """A process of this number in that group, if it can be had: (it, or None)."""
    for _ in range(50):
        with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as f:
            f.write(str(pid - 1))
        child = os.fork()
        if child == 0:
            signal.pause()
        if child == pid:
            with open(os.path.join(TREE + where, "cgroup.procs"), "w", encoding="ascii") as f:
                f.write(str(pid))
            return child
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return None


@promise
def whoever_has_its_number_afterwards_is_not_taken_for_it():
    if DOOR not in DOORS or not os.access("/proc/sys/kernel/ns_last_pid", os.W_OK):
        raise Skip("this kernel gives no descriptor of a peer, or no number of our choice")
    s.for_caller(f'container = "{CONTAINER}";')
    with unheard():
        by = connect(DOOR, PLAIN)
        pid = by.pid
        by.leave()
        other = have_pid(pid, DOCKER)
    try:
        if other is None:
            raise Skip("its number could not be had again")
        refused(by, "caller_unknown")
    finally:
        by.close()
        if other is not None:
            os.kill(other, signal.SIGKILL)
            os.waitpid(other, 0)


@promise
def nobody_waits_where_no_grant_asks():
    s.for_caller(f"uid = {WORKLOAD_UID};")
    served(connect(TCP, DOCKER), f"uid:{WORKLOAD_UID}")
    assert s.h.requests()[-1]["who"] == f"uid:{WORKLOAD_UID}"


@promise
def many_at_once_are_all_told_apart():
    s.for_caller(f'cgroup = "{PLAIN}";')
    peers = [connect(DOORS[i % len(DOORS)], PLAIN if i % 2 else DOCKER) for i in range(24)]
    for i, peer in enumerate(peers):
        if i % 2:
            served(peer)
        else:
            refused(peer, "caller_not_allowed")


@promise
def its_record_says_where_it_ran():
    s.for_caller(f'pod = "{POD}"; container = "{CONTAINER}";')
    served(connect(TCP, KUBE))
    ledger = os.path.join(s.h.run, "ledger")
    text = b"".join(open(os.path.join(ledger, name), "rb").read() for name in os.listdir(ledger))
    assert f"pod={POD},container={CONTAINER}".encode() in text      # the grant's
    assert f"pod:{POD},container:{CONTAINER}".encode() in text      # the caller's


def end():
    s.end()
    os.rmdir(os.path.dirname(DOOR))


main(close=end)
