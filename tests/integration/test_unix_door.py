"""A unix door: the forward door on a socket in the file system, whose path is an identity; and what stood there before."""

import os
import shutil
import signal
import socket
import stat
import subprocess

from client import Channel
from holdfast import (ADDRESSES, BINARY, OTHER_UID, PROXY_UID, ROOT, WORKLOAD_UID, Holdfast, Sidecar, Skip, grant, main,
                      own_network, promise)

own_network(ADDRESSES)

GROUP = 64950
NODE = shutil.which("node")


class Peer(Channel):
    """A connection whose other end another process made and still holds."""

    def __init__(self, sock, pid):
        super().__init__(sock)
        self.sock.settimeout(120)
        self.pid = pid

    def leave(self):
        """The process ends; the connection is ours, and stays."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = None

    def close(self):
        super().close()
        self.leave()


def connect(path, uid=WORKLOAD_UID, gid=None, groups=(GROUP,)):
    """The kernel writes down the credentials of whoever calls connect(2): a process of that uid."""
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    child = os.fork()
    if child == 0:
        try:
            os.setgroups(list(groups))
            os.setgid(uid if gid is None else gid)
            os.setuid(uid)
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(path)
            socket.send_fds(there, [b"x"], [sock.fileno()])
            signal.pause()
        except OSError as e:
            there.send(str(e.errno).encode())
        os._exit(0)
    with here, there:
        said, fds, _, _ = socket.recv_fds(here, 16, 1)
    if fds:
        return Peer(socket.socket(fileno=fds[0]), child)
    os.waitpid(child, 0)
    raise OSError(int(said), os.strerror(int(said)))


def door(name, more=""):
    return f"""{{ kind = "unix"; name = "{name}"; path = "{s_path(name)}"; group = "{GROUP}"; {more} }}"""


def s_path(name):
    return f"/run/holdfast-unix-{os.getpid()}/{name}.sock"


shutil.rmtree(os.path.dirname(s_path("x")), ignore_errors=True)


class Scene(Sidecar):
    """Two unix doors beside the forward one, and a grant for each."""

    def __init__(self):
        super().__init__(doors=", " + door("agent", "h2c = true;") + ", " + door("other"), workers=2)


def config(h=None, **changed):
    rule = s.rule()
    other = s.rule("denied.test")
    told = {"grants": grant(rule, name="agents", caller='{ door = "agent"; }')
            + "," + grant(other, name="others", caller=f'{{ door = "other"; uid = {WORKLOAD_UID}; gid = {WORKLOAD_UID}; }}'),
            **changed}
    return s.config(**told)


s = Scene()
assert s.h.reload(config())["msg"] == "config reloaded", s.h.tail()


def tunnel(channel, target):
    channel.send(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n")
    return channel.read_answer("CONNECT")


def get(channel, host="allowed.test", path="/"):
    answer = tunnel(channel, host + ":443")
    assert answer.status == 200, (answer.line, answer.body)
    channel.start_tls(s.h.client_context(), host)
    return channel.request("GET", path, host)


def served(by, host="allowed.test", origin=None, who=None, path="/"):
    mark, n = s.h.mark(), len((origin or s.origin).requests)
    answer = get(by, host, path)
    by.close()
    assert answer.status == 200, (answer.line, answer.body)
    line = s.h.wait_requests(1, mark)[0]
    assert len((origin or s.origin).requests) == n + 1
    if who:
        assert line["who"] == who, line
    return line


def refused(by, reason, host="allowed.test"):
    mark, n = s.h.mark(), len(s.origin.requests) + len(s.denied.requests)
    answer = get(by, host)
    by.close()
    assert answer.status == 403 and answer.reason == reason, (answer.line, answer.body)
    line = s.h.wait_requests(1, mark)[0]
    assert line["reason"] == reason, line
    assert len(s.origin.requests) + len(s.denied.requests) == n
    return line


@promise
def what_comes_by_the_door_is_served_whoever_it_is():
    for uid in (WORKLOAD_UID, OTHER_UID):
        served(connect(s_path("agent"), uid), who=f"uid:{uid},gid:{uid},door:agent")


@promise
def by_another_door_the_same_process_is_refused():
    refused(connect(s_path("other")), "caller_not_allowed")
    refused(s.h.open(), "caller_not_allowed")


@promise
def a_door_with_uid_and_gid_takes_those_alone():
    served(connect(s_path("other")), "denied.test", s.denied, who=f"uid:{WORKLOAD_UID},gid:{WORKLOAD_UID},door:other")
    refused(connect(s_path("other"), OTHER_UID), "caller_not_allowed", "denied.test")
    refused(connect(s_path("other"), WORKLOAD_UID, gid=OTHER_UID), "caller_not_allowed", "denied.test")
    del s.denied.connections[:]


@promise
def by_tcp_no_gid_is_known():
    changed = s.config(grants=grant(s.rule(), caller=f"{{ gid = {WORKLOAD_UID}; }}"))
    assert s.h.reload(changed)["msg"] == "config reloaded"
    try:
        refused(s.h.open(), "caller_unknown")
        served(connect(s_path("agent")))
    finally:
        assert s.h.reload(config())["msg"] == "config reloaded"


@promise
def a_peer_that_has_gone_right_after_connecting_is_still_who_it_was():
    channel = connect(s_path("agent"), OTHER_UID)
    channel.leave()
    served(channel, who=f"uid:{OTHER_UID},gid:{OTHER_UID},door:agent")


@promise
def an_absolute_target_is_a_proxy_request_there_too():
    changed = config(grants=grant('{ host = "allowed.test"; port = 80; scheme = "http"; methods = "any"; paths = "any"; }',
                                  caller='{ door = "agent"; }'))
    assert s.h.reload(changed)["msg"] == "config reloaded"
    try:
        mark = s.h.mark()
        with connect(s_path("agent")) as channel:
            channel.send("GET http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
            answer = channel.read_answer()
            assert answer.status == 502 and answer.reason == "connect_failed", answer.line
        assert s.h.wait_requests(1, mark)[0]["step"] == "dial"
    finally:
        assert s.h.reload(config())["msg"] == "config reloaded"


@promise
def node_goes_out_by_it():
    if NODE is None:
        raise Skip("there is no node")
    script = """
const http = require('http'), tls = require('tls');
const ask = http.request({ socketPath: process.argv[2], method: 'CONNECT', path: 'allowed.test:443',
                           headers: { host: 'allowed.test:443' } });
ask.on('connect', (res, socket) => {
  const inner = tls.connect({ socket, servername: 'allowed.test', ca: require('fs').readFileSync(process.argv[3]) });
  const get = http.request({ createConnection: () => inner, path: '/node', headers: { host: 'allowed.test' } }, (r) => {
    console.log(res.statusCode, r.statusCode); r.resume(); r.on('end', () => process.exit(0));
  });
  get.end();
});
ask.end();
"""
    path = s.ws.file("door.js", script)
    n = len(s.origin.requests)
    done = subprocess.run([NODE, path, s_path("agent"), s.h.ca], user=WORKLOAD_UID, group=WORKLOAD_UID, extra_groups=[GROUP],
                          capture_output=True, timeout=120, env={"PATH": os.environ["PATH"]}, cwd="/", check=False)
    assert done.stdout.split() == [b"200", b"200"], done
    assert s.origin.requests[n].target == "/node"


@promise
def every_worker_takes_connections_of_it():
    held = []
    try:
        for _ in range(400):
            held.append(connect(s_path("agent")))
            if len(held) % 8 == 0 and all(n > 0 for n in connections()):
                break
        assert all(n > 0 for n in connections()), connections()
    finally:
        for channel in held:
            channel.close()


def connections():
    """How many each worker has."""
    since = s.h.index()
    s.h.kill(signal.SIGUSR2)
    return [s.h.wait_line(lambda li: li.get("msg") == "state" and li["worker"] == worker, since, what="a worker's state")["connections"]
            for worker in range(2)]


@promise
def whoever_is_not_in_its_group_does_not_get_in():
    try:
        connect(s_path("agent"), groups=())
    except PermissionError:
        return
    raise AssertionError("a stranger to the group was let in")


@promise
def it_is_the_users_and_its_groups_with_its_mode():
    st = os.lstat(s_path("agent"))
    assert stat.S_ISSOCK(st.st_mode) and stat.S_IMODE(st.st_mode) == 0o660, oct(st.st_mode)
    assert (st.st_uid, st.st_gid) == (PROXY_UID, GROUP), st
    st = os.lstat(os.path.dirname(s_path("agent")))
    assert stat.S_IMODE(st.st_mode) == 0o755 and st.st_uid == PROXY_UID


@promise
def a_reload_cannot_move_it():
    for old, new in ((s_path("other"), s_path("another")), ('name = "other"', 'name = "another"'),
                     (f'group = "{GROUP}"', f'group = "{GROUP + 1}"')):
        def moved(h, old=old, new=new):
            text = config()(h)
            assert old in text
            return text.replace(old, new).replace('door = "other"', 'door = "agent"')
        assert s.h.reload(moved)["msg"] == "config rejected"
        assert any("cannot change by a reload" in t for t in s.h.text[-10:]), s.h.tail()
    served(connect(s_path("agent")))


def beside(path, expect, *words, mode=""):
    """Another Holdfast whose door stands there: it does not start, or it does."""
    def text(h):
        return config()(h).replace(s_path("agent"), path).replace(s_path("other"), path + "2")
    h = Holdfast(s.ws, text, name="beside", wait=False)
    if expect is None:
        h.wait_for("ready")
        return h
    assert h.wait_exit(60) == expect, h.tail()
    h.assert_clean()
    for word in words:
        assert any(word in t for t in h.text), h.tail()
    return h


@promise
def a_path_on_which_another_answers_is_left_alone():
    before = os.lstat(s_path("agent")).st_ino
    beside(s_path("agent"), 75, "another process answers there")
    assert os.lstat(s_path("agent")).st_ino == before
    served(connect(s_path("agent")))


@promise
def a_file_a_link_and_a_strangers_socket_stay_where_they_are():
    directory = s.ws.directory("stands")
    path, target = os.path.join(directory, "door.sock"), s.ws.file("precious", "precious\n")
    s.ws.file("stands/door.sock", "a file\n")
    beside(path, 78, "is no socket")
    os.unlink(path)
    os.symlink(target, path)
    beside(path, 78, "is no socket")
    assert open(target, encoding="ascii").read() == "precious\n"
    os.unlink(path)
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    os.chown(path, OTHER_UID, OTHER_UID)
    beside(path, 78, f"belongs to uid {OTHER_UID}")
    assert stat.S_ISSOCK(os.lstat(path).st_mode)
    sock.close()


@promise
def a_directory_that_others_may_write_to_will_not_do():
    directory = s.ws.directory("open", mode=0o777)
    beside(os.path.join(directory, "door.sock"), 78, "file_unsafe")
    directory = s.ws.directory("strange", owner=OTHER_UID)
    beside(os.path.join(directory, "door.sock"), 78, "file_unsafe")


@promise
def after_a_kill_it_comes_back_and_at_the_end_it_goes():
    path = os.path.join(s.ws.directory("stale"), "door.sock")
    first = beside(path, None)
    first.kill(signal.SIGKILL)
    first.wait_exit()
    assert stat.S_ISSOCK(os.lstat(path).st_mode)
    second = beside(path, None)
    second.stop()
    assert not os.path.lexists(path)


@promise
def what_came_in_its_place_is_left_there():
    path = os.path.join(s.ws.directory("taken"), "door.sock")
    h = beside(path, None)
    os.unlink(path)
    s.ws.file("taken/door.sock", "another's\n")
    h.stop()
    assert open(path, encoding="ascii").read() == "another's\n"


@promise
def a_group_that_is_not_there_is_told_before_the_start():
    path = s.ws.file("nogroup.conf", config()(s.h).replace(f'group = "{GROUP}"', 'group = "no-such-group"'))
    done = subprocess.run([BINARY, "check", "-c", path], capture_output=True, timeout=60, check=False,
                          env={"PATH": os.environ["PATH"], "ASAN_OPTIONS": "detect_leaks=0"})
    assert done.returncode == 78 and b'there is no group "no-such-group"' in done.stderr, done


@promise
def explain_is_asked_as_a_caller_of_a_door():
    example = os.path.join(ROOT, "conf/examples/unix.conf")

    def explained(*who):
        done = subprocess.run([BINARY, "explain", "-c", example, "--json", *(["--as", *who] if who else []), "GET", "https://registry.npmjs.org/left-pad"],
                              capture_output=True, timeout=60, check=False,
                              env={"PATH": os.environ["PATH"], "ASAN_OPTIONS": "detect_leaks=0"})
        return done.returncode, done.stdout.decode() + done.stderr.decode()
    code, told = explained()            # the workload, by the door that is asked
    assert code == 0 and '"uid:1000,door:builder"' in told, told
    code, told = explained("uid=1000,door=builder")
    assert code == 0 and '"uid:1000,door:builder"' in told, told
    code, told = explained("uid=1000,door=reviewer")
    assert code == 3 and "caller_not_allowed" in told, told
    code, told = explained("uid=1000")
    assert code == 3 and "caller_unknown" in told, told
    for who in ("door=x", "uid=x", "pod=x", "container=x", "cgroup=x", "user=1", "uid"):
        assert explained(who)[0] == 2, who


@promise
def its_place_and_name_stand_in_the_log():
    told = {line["name"]: line["address"] for line in s.h.doors("unix")}
    assert told == {"agent": s_path("agent"), "other": s_path("other")}, told


def put_away():
    s.end()
    assert not os.path.lexists(s_path("agent"))
    shutil.rmtree(os.path.dirname(s_path("x")), ignore_errors=True)


put_away.__name__ = "it_ends_as_it_should_and_takes_its_sockets_along"
main(close=put_away)
