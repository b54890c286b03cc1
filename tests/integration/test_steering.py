"""Steering: what the kernel's rules let out of a network, seen from the other end of its cable. Every way past Holdfast is tried
twice: without rules, where the witness must see it, and with them, where nothing may arrive."""

import contextlib
import errno
import json
import os
import shutil
import signal
import socket
import struct
import subprocess

from holdfast import (BINARY, Closed, Holdfast, OTHER_UID, Origin, PROXY_UID, PUBLIC, PUBLIC2, Skip, WORKLOAD_UID, Workspace, as_uid, connect, curl,
                      forward_config, main, own_network, promise, rows, run_as, skip_file)
from outside import GATEWAY, OURS, Outside
from patience import until
from stub_dns import encode_name
from ways import (MPTCP, SCTP, UDPLITE, bound_to_cable, broadcast, fast_open, forged, join, ping, raw, tcp, udp)

own_network()
if shutil.which("nft") is None:
    skip_file("there is no nft")

RESOLVER, RESOLVER6, PUBLIC6, METADATA = "8.8.8.8", "2600:1::53", "2600:1::10", "169.254.169.254"
OPS = 15021
REPAIR = 19

outside = Outside(PUBLIC, [PUBLIC, PUBLIC2, PUBLIC6, RESOLVER, RESOLVER6, METADATA])
ws = Workspace()
with open("/proc/sys/net/ipv4/ping_group_range", "w", encoding="ascii") as f:
    f.write("0 2147483647")         # as container engines have it
with outside.entered():
    origin = Origin(PUBLIC, 443, ws.leaf("allowed.test"))
    elsewhere = [Origin(address, port) for address in (PUBLIC2, PUBLIC6) for port in (80, 8443)]
FAR_END = outside.link_local()
old = [connect(PUBLIC2, 80) for _ in range(6)]      # from before there were any rules

RULE = f'{{ host = "allowed.test"; methods = ["GET"]; paths = ["/**"]; upstream_trust = "{ws.ca.file}"; }}'
SOCKET = os.path.join(ws.directory("holdfast"), "agent.sock")
DOORS = f"""
  , {{ kind = "transparent"; listen = "127.0.0.1:15006"; }}
  , {{ kind = "transparent"; listen = "[::1]:15006"; }}
  , {{ kind = "dns"; listen = "127.0.0.1:15053"; }}
  , {{ kind = "dns"; listen = "[::1]:15053"; }}
  , {{ kind = "unix"; path = "{SOCKET}"; mode = "0666"; }}
  , {{ kind = "ops"; listen = "127.0.0.1:{OPS}"; }}"""
config = forward_config(RULE, listen="127.0.0.1:15001", doors=DOORS)
h = Holdfast(ws, lambda of: config(of) + f'control = {{ socket = "{of.run}/control.sock"; }};')
CONFIG = ws.file("steer.conf", h.configs[0])
BY_TPROXY = h.configs[0].replace('kind = "transparent";', 'kind = "transparent"; intercept = "tproxy";')
MODES = {"drop": (CONFIG, "drop"), "redirect": (CONFIG, "redirect"), "tproxy": (ws.file("tproxy.conf", BY_TPROXY), "redirect")}


# ---- the rules

def steer(*options, before=(), **more):
    return subprocess.run([*before, BINARY, "steer", *options], capture_output=True, text=True, timeout=300, **more)


def in_force(mode):
    """Rules of this mode, or none, and the doors it is for."""
    global h
    done = steer("-c", MODES[mode][0], "--mode", MODES[mode][1], "--load") if mode else steer("--remove")
    assert done.returncode == 0, done
    wanted = BY_TPROXY if mode == "tproxy" else h.configs[0].replace(' intercept = "tproxy";', "")
    if wanted != h.configs[0]:
        h.stop()
        h = Holdfast(ws, wanted)
    return done


def counted(*names):
    told = subprocess.run(["nft", "-j", "list", "counters", "table", "inet", "holdfast"], capture_output=True, text=True,
                          check=True).stdout
    packets = {c["counter"]["name"]: c["counter"]["packets"] for c in json.loads(told)["nftables"] if "counter" in c}
    return sum(packets[n] for n in names)


def from_before():
    """The first of them that was not cut yet."""
    for sock in old:
        with contextlib.suppress(OSError):
            return sock.send(b"a secret")
    return None


# What it is, how it is gone, and which of our counters must have seen it: in drop, and in redirect where that is another.
WAYS = [
    ("another host", tcp(PUBLIC2, 443), "refused", "turned"),
    ("the allowed host, past the door", tcp(PUBLIC, 443), "refused", "turned"),
    ("another port", tcp(PUBLIC2, 8443), "refused", "turned"),
    ("the gateway", tcp(GATEWAY, 22), "refused", "turned"),
    ("an IPv6 literal", tcp(PUBLIC6, 443), "refused", "turned"),
    ("its neighbour's link-local address", tcp(FAR_END + "%cable", 80), "metadata"),
    ("the metadata service", tcp(METADATA, 80), "metadata"),
    ("the metadata service over UDP", udp(METADATA, 80), "metadata"),
    ("data in a SYN", fast_open(PUBLIC2, 443), "refused", "turned"),
    ("multipath TCP", tcp(PUBLIC2, 443, protocol=MPTCP), "refused", "turned"),
    ("bound to the device", tcp(PUBLIC2, 443, before=bound_to_cable), "refused", "guarded"),
    ("a connection from before the rules", from_before, "refused"),
    ("QUIC", udp(PUBLIC2, 443), "quic"),
    ("QUIC over IPv6", udp(PUBLIC6, 443), "quic"),
    ("UDP", udp(PUBLIC2, 5000), "refused"),
    ("UDP in fragments", udp(PUBLIC2, 5000, data=b"x" * 4000), "refused"),
    ("UDP-Lite", udp(PUBLIC2, 5000, protocol=UDPLITE), "refused"),
    ("multicast", udp("224.0.0.251", 5353), "refused"),
    ("multicast over IPv6", udp("ff02::fb%cable", 5353), "refused"),
    ("broadcast", udp("198.51.100.255", 5000, before=broadcast), "refused"),
    ("ping", ping(PUBLIC2), "refused"),
    ("ping over IPv6", ping(PUBLIC6), "refused"),
    ("DNS to a public resolver", udp(RESOLVER, 53), "unanswered", "asked"),
    ("DNS to one over IPv6", udp(RESOLVER6, 53), "unanswered", "asked"),
    ("DNS over TCP", tcp(RESOLVER, 53), "unanswered", "asked"),
    ("a raw socket", raw(PUBLIC2, 253), "refused"),
    ("a raw socket over IPv6", raw(PUBLIC6, 253), "refused"),
    ("SCTP from a raw socket", raw(PUBLIC2, SCTP), "refused"),
    ("a forged router", raw("ff02::1%cable", socket.IPPROTO_ICMPV6, b"\x86" + b"\0" * 15), "refused"),
    ("a forged packet", forged(OURS, PUBLIC2), "refused"),
    ("a forged packet from nobody", forged("20.0.0.77", PUBLIC2), "refused"),
    ("a forged fragment", forged(OURS, PUBLIC2, more_fragments=True), None),      # waits for the others, in vain
    ("joining a group", join("239.1.2.3"), "refused"),
    ("joining a group over IPv6", join("ff05::1:2:3"), "refused"),
]


@rows(WAYS)
def without_rules_it_leaves(way):
    """What the witness cannot see proves nothing."""
    in_force(None)
    outside.forget()
    kept = way[1]()
    until(lambda: sum(outside.arrived()) > 0, "what was sent")
    del kept


def nothing_left(guarded=False):
    """guarded: it is the last of the rules that stops it."""
    assert outside.arrived() == (0, 0) and (counted("guarded") > 0) == guarded


def tried(mode, way, counter):
    in_force(mode)
    outside.forget()
    kept = way()
    until(lambda: counter is None or counted(counter) > 0, f"a packet at {counter}")
    nothing_left(counter == "guarded")
    del kept


@rows(WAYS)
def in_drop_nothing_leaves(way):
    tried("drop", way[1], way[2])


@rows(WAYS)
def in_redirect_nothing_leaves_but_through_us(way):
    tried("redirect", way[1], way[-1])


@rows(WAYS)
def in_redirect_by_tproxy_nothing_leaves_but_through_us(way):
    tried("tproxy", way[1], None if way[1] is from_before else way[-1])     # that one is reset by the door


# ---- what is meant to work

def allowed():
    """The usual call, as a workload that uses its proxy."""
    since = len(origin.requests)
    done = curl(h.proxy, h.bundle, "-f", "https://allowed.test/x")
    assert done.returncode == 0, (done, h.tail())
    assert len(origin.requests) == since + 1


@promise
def in_drop_what_a_grant_allows_is_done():
    in_force("drop")
    allowed()
    assert counted("holdfast") > 0 and counted("guarded") == 0


@rows([("redirect",), ("tproxy",)])
def what_a_grant_allows_is_done_by_who_knows_of_no_proxy(row):
    in_force(row[0])
    allowed()
    since = len(origin.requests)
    for target in (PUBLIC, f"[{PUBLIC6}]"):
        done = run_as(WORKLOAD_UID, ["curl", "-sSf", "--connect-to", f"allowed.test:443:{target}:443", "https://allowed.test/x"],
                      {"SSL_CERT_FILE": h.bundle})
        assert done.returncode == 0, (done, h.tail())
    assert len(origin.requests) == since + 2
    assert counted("turned") == 2 and counted("guarded") == 0


@promise
def our_own_ports_lead_nowhere():
    """The transparent door asked for by itself; the control socket."""
    in_force("redirect")
    since = h.mark()
    channel = h.open(kind="transparent")
    channel.send("GET / HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
    with contextlib.suppress(Closed):
        assert channel.read_answer().status >= 400
    h.wait_line(lambda li: li.get("reason") == "not_intercepted", since)
    with as_uid(WORKLOAD_UID):
        sock = socket.socket(socket.AF_UNIX)
        assert refusal(lambda: sock if sock.connect(h.run + "/control.sock") else sock) == errno.EACCES


@contextlib.contextmanager
def service(address, kind=socket.SOCK_STREAM, uid=WORKLOAD_UID, port=0):
    with as_uid(uid):
        sock = socket.socket(socket.AF_INET, kind)
    sock.settimeout(120)
    sock.bind((address, port))
    if kind == socket.SOCK_STREAM:
        sock.listen()
    with sock:
        yield sock


@promise
def a_service_of_the_workload_answers_who_comes_from_outside():
    """Its process makes the answers; the kernel makes some before it, and some after it."""
    in_force("drop")
    with service(OURS) as listener:
        with outside.entered():
            client = socket.create_connection(listener.getsockname(), timeout=120)
        with as_uid(WORKLOAD_UID):
            accepted, _ = listener.accept()
        client.sendall(b"asked")
        assert accepted.recv(5) == b"asked"
        accepted.sendall(b"answered")
        accepted.close()
        assert client.recv(100) == b"answered" and client.recv(100) == b""
        client.close()
    with service(OURS, socket.SOCK_DGRAM) as sock:
        with outside.entered():
            client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.settimeout(120)
        client.sendto(b"asked", sock.getsockname())
        sock.sendto(b"answered", sock.recvfrom(100)[1])
        assert client.recv(100) == b"answered"
        closed = sock.getsockname()
    assert counted("answered") > 0 and counted("guarded", "refused") == 0
    with outside.entered():     # the kernel says so, with nobody behind it
        assert refusal(lambda: socket.create_connection(closed, timeout=120)) == errno.ECONNREFUSED


def refusal(attempt):
    """The errno that it ends with."""
    try:
        attempt().close()
    except OSError as e:
        return e.errno
    return None


@promise
def who_came_from_outside_is_answered_and_nobody_else():
    """The same peer, from the port that it knows, but a conversation of our own."""
    in_force("drop")
    with service(OURS, socket.SOCK_DGRAM) as sock:
        outside.forget()
        with contextlib.suppress(OSError):
            sock.sendto(b"a secret", (PUBLIC2, 5000))
        until(lambda: counted("refused") > 0, "a refusal")
        nothing_left()


@promise
def what_ends_inside_is_free_but_for_our_ops_door():
    in_force("drop")
    for address in ("127.0.0.1", OURS):
        with service(address) as listener:
            connect(*listener.getsockname(), uid=OTHER_UID).close()
    assert refusal(lambda: connect("127.0.0.1", OPS)) == errno.ECONNREFUSED
    assert counted("ops") > 0
    connect("127.0.0.1", OPS, uid=0).close()        # whoever operates it
    connect("127.0.0.1", OPS, uid=PROXY_UID).close()


@promise
def a_resolver_beside_the_workload_asks_nobody_for_it():
    """Docker's listens at 127.0.0.11, and asks outside for whoever asks it."""
    in_force("drop")
    for address, port in (("127.0.0.11", 53), ("127.0.0.11", 40053), ("127.0.0.53", 53)):
        with service(address, socket.SOCK_DGRAM, uid=0, port=port) as sock:
            with as_uid(WORKLOAD_UID):
                client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            before = counted("unanswered")
            assert refusal(lambda: client if client.sendto(b"x", (address, port)) else None) == errno.EPERM
            assert counted("unanswered") == before + 1
            sock.setblocking(False)
            assert refusal(lambda: sock.recv(1)) == errno.EAGAIN
    in_force(None)


@promise
def nobody_but_root_answers_in_the_place_of_dockers_resolver():
    """Holdfast may ask it, and a container lets anybody have port 53."""
    in_force("drop")
    with service("127.0.0.1", socket.SOCK_DGRAM, uid=PROXY_UID) as asks:
        for uid, sent in ((WORKLOAD_UID, False), (0, True)):
            with service("127.0.0.11", socket.SOCK_DGRAM, uid=uid) as sock:
                asks.sendto(b"asked", sock.getsockname())
                assert sock.recv(100) == b"asked"
                before = counted("refused")
                told = refusal(lambda: sock if sock.sendto(b"answered", asks.getsockname()) else None)
                assert (told, counted("refused") - before) == ((None, 0) if sent else (errno.EPERM, 1))
        assert asks.recv(100) == b"answered"
    in_force(None)


def asked_for(name, resolver, kind=socket.SOCK_DGRAM, port=53):
    """The code of the answer, and whether it has this address of the allowed service."""
    question = struct.pack(">HHHHHH", 7, 0x0100, 1, 0, 0, 0) + encode_name(name) + struct.pack(">HH", 1, 1)
    with as_uid(WORKLOAD_UID):
        sock = socket.socket(socket.AF_INET6 if ":" in resolver else socket.AF_INET, kind)
    with sock:
        sock.settimeout(120)
        sock.connect((resolver, port))
        sock.sendall(question if kind == socket.SOCK_DGRAM else struct.pack(">H", len(question)) + question)
        answer = sock.recv(4096)
        while kind == socket.SOCK_STREAM and len(answer) < 2 + struct.unpack(">H", (answer + b"\xff\xff")[:2])[0]:
            piece = sock.recv(4096)
            assert piece, "the door cut its answer"
            answer += piece
    answer = answer[2:] if kind == socket.SOCK_STREAM else answer
    return answer[3] & 15, socket.inet_aton(PUBLIC) in answer


@rows([("a public resolver", RESOLVER), ("one over IPv6", RESOLVER6), ("Docker's", "127.0.0.11"), ("the machine's", "127.0.0.53")])
def in_redirect_our_dns_door_answers_for(row):
    in_force("redirect")
    outside.forget()
    for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
        assert asked_for("allowed.test", row[1], kind) == (0, True)
        assert asked_for("nobody.test", row[1], kind) == (5, False)
    assert counted("asked") > 0 and counted("unanswered") == 0
    nothing_left()


@promise
def in_drop_a_dns_door_is_asked_by_its_own_name():
    in_force("drop")
    assert asked_for("allowed.test", "127.0.0.1", port=15053) == (0, True)


# ---- who is exempt, and who only says so

@promise
def whoever_has_our_uid_is_exempt_and_it_is_said():
    assert f"by uid {PROXY_UID}" in in_force("drop").stdout
    assert f"runs as uid {PROXY_UID} is exempt" in steer("-c", CONFIG).stdout
    outside.forget()
    udp(PUBLIC2, 5000, uid=PROXY_UID)()
    until(lambda: outside.arrived()[1] > 0, "what was sent")


ATTEMPT = f"""
import socket
for address, port in (("{PUBLIC2}", 443), ("{PUBLIC6}", 443)):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
        sock.settimeout(5)
        try:
            sock.connect((address, port))
            sock.send(b"a secret")
            print("sent")
        except OSError as e:
            print(e.errno)
"""


@rows([("our uid in a user namespace of its own", ["-U", f"--map-user={PROXY_UID}"]), ("root in one", ["-Ur"]),
       ("root in a network of its own", ["-Urn"])])
def a_name_that_the_workload_gives_itself_is_none(row):
    in_force("drop")
    outside.forget()
    done = run_as(WORKLOAD_UID, ["unshare", *row[1], "/usr/bin/python3", "-c", ATTEMPT], text=True)
    assert done.returncode == 0 and len(done.stdout.split()) == 4 and "sent" not in done.stdout, done
    nothing_left()


@promise
def a_connection_that_we_left_behind_is_not_taken_over():
    """Its end never was told, so that the kernel's table has it still; the workload has its port, and asks its peer."""
    in_force("drop")
    with as_uid(PROXY_UID):
        ours = socket.socket()
    ours.bind((OURS, 0))
    ours.connect((PUBLIC, 443))
    port = ours.getsockname()[1]
    ours.setsockopt(socket.IPPROTO_TCP, REPAIR, 1)
    ours.close()
    outside.wait_quiet()
    outside.forget()
    with as_uid(WORKLOAD_UID):
        thief = socket.socket()
    thief.bind((OURS, port))
    assert refusal(lambda: thief if thief.connect((PUBLIC, 443)) else thief) == errno.ECONNREFUSED
    nothing_left()


@promise
def the_last_packets_of_our_own_connections_leave():
    """Nobody holds their sockets any more: what waits to be sent, and the end, are sent by the kernel."""
    in_force("drop")
    with as_uid(PROXY_UID):
        ours = socket.create_connection((PUBLIC2, 80), timeout=120)
    ours.setblocking(False)
    sent = 0
    with contextlib.suppress(BlockingIOError):
        while sent < 1 << 24:
            sent += ours.send(b"x" * 65536)
    ours.close()
    peer = elsewhere[0].connections[-1]
    assert peer.closed.wait(300), "the service never saw the end"
    assert counted("guarded", "refused") == 0


# ---- networks behind ours

@contextlib.contextmanager
def behind():
    """A network that somebody with our network's root has put behind it."""
    holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
    try:
        until(lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != os.readlink("/proc/self/ns/net"), "its network")
        enter = ["nsenter", "-t", str(holder.pid), "-n"]
        for words in (["link", "add", "bridge", "type", "veth", "peer", "name", "bridge", "netns", str(holder.pid)],
                      ["addr", "add", "10.9.0.1/24", "dev", "bridge"], ["link", "set", "bridge", "up"]):
            subprocess.run(["ip", *words], check=True)
        for words in (["addr", "add", "10.9.0.2/24", "dev", "bridge"], ["link", "set", "bridge", "up"],
                      ["route", "add", "default", "via", "10.9.0.1"]):
            subprocess.run([*enter, "ip", *words], check=True)
        with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as told:
            told.write("1")
        yield enter
    finally:
        holder.kill()
        holder.wait()


@promise
def what_is_forwarded_for_networks_behind_leaves_as_little():
    with behind() as enter:
        for mode, seen in ((None, lambda: outside.arrived()[1] > 0), ("drop", lambda: counted("forwarded") > 0)):
            in_force(mode)
            outside.forget()
            subprocess.run([*enter, "/usr/bin/python3", "-c",
                            f"import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('{PUBLIC2}', 5000))"],
                           check=True)
            until(seen, "its packet")
        nothing_left()


# ---- the end of Holdfast

@rows([("drop",), ("redirect",), ("tproxy",)])
def when_holdfast_is_killed_nothing_leaves_and_it_comes_back(row):
    global h
    in_force(row[0])
    allowed()
    h.kill(signal.SIGKILL)
    h.wait_exit()
    outside.wait_quiet()        # the kernel has told its peers
    outside.forget()
    kept = []
    for way in WAYS:
        with contextlib.suppress(Skip):
            kept.append(way[1]())
    assert curl(h.proxy, h.bundle, "https://allowed.test/x").returncode == 7       # the door is shut
    assert outside.arrived() == (0, 0)
    h = Holdfast(ws, h.configs[0])
    allowed()


# ---- loading

@promise
def loaded_twice_there_is_one_table_and_removed_none():
    for _ in range(2):
        in_force("drop")
        tables = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout
        assert tables.split("\n") == ["table inet holdfast", ""], tables
    for _ in range(2):
        in_force(None)
        assert not subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout


def nft_is(mode, owner=0, content="#!/bin/sh\nexit 1\n"):
    """Words that run what follows where /usr/sbin/nft is another program."""
    path = ws.file(f"nft-{mode:o}-{owner}", content, mode=mode, owner=owner)
    return ["unshare", "-m", "sh", "-c", f'mount --bind {path} /usr/sbin/nft && exec "$@"', "sh"]


SAYS = """#!/bin/sh
env >&2
exec 2>&1
echo '/dev/stdin:3:1-2: Error: Could not process rule: Operation not supported'
exit 1
"""

REFUSED = [
    ("not root", ["setpriv", f"--reuid={WORKLOAD_UID}", "--clear-groups"], f"only root can change the kernel's rules, and this is uid {WORKLOAD_UID}"),
    ("no NET_ADMIN", ["setpriv", "--bounding-set=-net_admin"], "root lacks NET_ADMIN"),
    ("an nft that others can change", nft_is(0o775, content=SAYS.replace("exit 1", "exit 0")), "there is no nft"),
    ("an nft that is not root's", nft_is(0o755, owner=WORKLOAD_UID), "there is no nft"),
    ("a kernel that lacks something", nft_is(0o755, content=SAYS.replace("env >&2\n", "")), "Operation not supported"),
]


@rows(REFUSED)
def what_cannot_be_loaded_is_told_in_a_sentence_and_changes_nothing(row):
    _, before, sentence = row
    in_force("drop")
    then = subprocess.run(["nft", "-sa", "list", "table", "inet", "holdfast"], capture_output=True, check=True).stdout
    done = steer("-c", CONFIG, "--load", before=before)
    assert done.returncode == 1 and done.stdout == "" and len(done.stderr.splitlines()) == 1, done
    assert sentence in done.stderr and "nothing was changed" in done.stderr, done
    assert subprocess.run(["nft", "-sa", "list", "table", "inet", "holdfast"], capture_output=True, check=True).stdout == then


@promise
def nft_is_told_nothing_of_our_environment():
    done = steer("-c", CONFIG, "--load", before=nft_is(0o755, content="#!/bin/sh\necho $LD_DEBUG_OUTPUT,$SECRET,$PATH\nexit 1\n"),
                 env={**os.environ, "SECRET": "secret", "LD_DEBUG_OUTPUT": "/tmp/x"})
    assert "refuses the rules: ,,/usr/sbin:/usr/bin:/sbin:/bin:" in done.stderr, done


@promise
def explicit_loads_nothing_and_says_what_it_does_not_hold():
    in_force(None)
    done = steer("-c", CONFIG, "--mode", "explicit", "--load")
    assert done.returncode == 0 and "nothing to load" in done.stdout and "is not held" in done.stdout, done
    assert not subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True).stdout


# ---- from inside

def checked(*before, code=None, mode="redirect", uid=None):
    """What --check says: {name: (is it well, the sentence)}."""
    as_whom = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups"] if uid is not None else []
    done = steer("-c", CONFIG, "--check", "--json", "--mode", mode, before=[*before, *as_whom])
    told = json.loads(done.stdout)
    found = {c["name"]: (c["ok"], c["says"]) for c in told["checks"]}
    assert told["ok"] == all(ok for ok, _ in found.values()) and done.returncode == (0 if told["ok"] else 1), done
    assert code is None or done.returncode == code, done.stdout
    return found


def failed(found):
    return {name for name, (ok, _) in found.items() if not ok}


OPEN = {"tcp", "tcp_port", "tcp_v6", "quic", "quic_v6", "udp", "dns", "dns_v6", "dns_tcp", "ping", "ping_v6"}


@rows([("drop", ()), ("redirect", ()), ("tproxy", ()), ("drop as the workload itself", (WORKLOAD_UID,))])
def from_inside_every_way_is_found_closed(row):
    mode = row[0].split()[0]
    in_force(mode)
    outside.forget()
    found = checked(code=0, mode=MODES[mode][1], uid=row[1][0] if row[1] else None)
    assert OPEN <= set(found) and {"raw", "packet", "door", "ops", "sctp"} <= set(found)
    assert f"the door at {SOCKET}: Holdfast answers" == found["unix"][1]
    for name in ("tcp", "tcp_v6", "dns", "dns_v6", "dns_tcp"):
        assert ("refused" if mode == "drop" else "in its place") in found[name][1], found
    nothing_left()


@promise
def from_inside_what_is_open_is_found_and_what_to_do_is_said():
    in_force(None)
    found = checked(code=1)
    assert failed(found) - {"udplite", "sctp"} == OPEN | {"ops", "turned"}, found
    assert all("holdfast steer --load" in found[name][1] for name in OPEN)
    assert steer("-c", CONFIG, "--check").stdout.count("FAIL  ") >= len(OPEN)


@promise
def a_workload_that_was_given_raw_sockets_is_told_on():
    """What they send below IP passes no rule; above it, it does."""
    in_force("drop")
    found = checked("setpriv", f"--reuid={WORKLOAD_UID}", "--clear-groups", "--inh-caps=+net_raw", "--ambient-caps=+net_raw", code=1, mode="drop")
    assert failed(found) == {"packet"} and "NET_RAW" in found["packet"][1], found
    assert "refused" in found["raw"][1] and "refused" in found["raw_v6"][1], found


@promise
def where_there_is_no_network_that_is_what_is_said():
    found = checked("unshare", "-n", code=1)
    assert failed(found) == {"door", "turned"} and "no route" in found["tcp"][1], found


@promise
def who_is_exempt_proves_nothing():
    done = steer("-c", CONFIG, "--check", before=["setpriv", f"--reuid={PROXY_UID}", "--clear-groups"])
    assert done.returncode == 1 and "exempt" in done.stderr and done.stdout == "", done


@promise
def a_doctor_needs_no_proxy_where_everything_is_turned_round():
    env = json.loads(subprocess.run([BINARY, "env", "-c", CONFIG, "--format", "json"], capture_output=True, text=True, check=True).stdout)
    env = {name: value for name, value in env.items() if "proxy" not in name.lower()}
    for mode, code in (("redirect", 0), ("drop", 1)):
        in_force(mode)
        done = run_as(WORKLOAD_UID, [BINARY, "doctor"], env, text=True)
        assert done.returncode == code, done.stdout
        assert ("no proxy has to be named" if code == 0 else "HTTPS_PROXY is not set") in done.stdout.splitlines()[0], done


def end():
    """For main(): all is well still."""
    h.stop()


main(close=end)
