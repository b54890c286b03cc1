"""At its limits: connections, descriptors, memory, clients that are slow on purpose. New ones are turned away politely, those
that are in go on, and probes are answered throughout."""

import contextlib
import os
import re
import resource
import signal
import threading

from holdfast import (ADDRESSES, BINARY, RELEASE, Closed, Holdfast, Sidecar, Skip, by_size, echo, main, own_network,
                      promise)
from ops import DOOR, Page, ask
from patience import until

own_network(ADDRESSES)
HOST = "allowed.test"
IN_USE = RELEASE if os.path.exists(RELEASE) else BINARY
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
CALM = 'worker_stuck = "1h"; '      # however slow this machine is: no worker is stuck
s = Sidecar(doors=DOOR, limits=CALM)
PATIENT = CALM + 'head_timeout = "1h"; connection_idle = "1h"; stream_idle = "1h"; handshake_timeout = "1h"; drain = "1s";'


def another(name, limits="", argv_before=(), binary=IN_USE, workers=1):
    return Holdfast(s.ws, s.config(limits=PATIENT + limits, workers=workers), name=name, binary=binary, argv_before=argv_before)


@contextlib.contextmanager
def service(answer):
    s.origin.answer = answer
    try:
        yield
    finally:
        s.origin.answer = echo


def admin_answers(h):
    assert ask(h, "/healthz")[:2] == (200, "ok\n")
    assert ask(h, "/readyz")[:2] == (200, "ok\n")
    return Page(h)


def is_turned_away(channel):
    """It was told so, or closed; False: it is in."""
    try:
        channel.send(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}:443\r\n\r\n")
        answer = channel.read_answer("CONNECT")
    except (Closed, OSError):
        return True
    if answer.status == 200:
        return False
    assert (answer.status, answer.reason) == (503, "too_many_connections"), (answer.line, answer.body)
    return True


# ---- clients that are slow

@promise
def a_thousand_slow_heads_keep_nobody_waiting():
    n = by_size(200, 1000)
    slow = [s.h.open() for _ in range(n)]
    for c in slow:
        c.send(f"CONNECT {HOST}:443 HTTP/1.1\r\nHost: {HOST}")
    for i in range(5):
        for c in slow:
            c.send(str(i))
        assert s.h.get().status == 200
        page = admin_answers(s.h)
    assert page.get("holdfast_open_connections") >= n
    for c in slow:
        c.close()
    until(lambda: Page(s.h).get("holdfast_open_connections") == 0, what="the end of the slow ones")


@promise
def a_slow_head_is_ended_at_its_deadline_however_it_drips():
    h = Holdfast(s.ws, s.config(limits=CALM + 'head_timeout = "1s";'), name="impatient")
    slow = [h.open() for _ in range(50)]
    for c in slow:
        c.send("CONNECT ")
    # a drip does not put it off: this would never end
    while slow:
        for c in list(slow):
            try:
                c.send("a")
            except Closed:
                slow.remove(c)
        assert h.get().status == 200
    h.stop()


# ---- the limit of connections

@promise
def at_the_limit_new_clients_are_told_and_old_ones_go_on():
    h = another("few", "connections = 40;")
    kept = [h.tls() for _ in range(40)]
    before = Page(h)
    assert all(is_turned_away(h.open()) for _ in range(25))
    page = admin_answers(h)
    assert page.get("holdfast_open_connections") == 40
    assert page.get("holdfast_connections_refused_total") - before.get("holdfast_connections_refused_total") == 25
    for c in kept:
        assert c.request("GET", "/", HOST).status == 200
        c.close()
    until(lambda: Page(h).get("holdfast_open_connections") == 0, what="the end of the old ones")
    assert h.get().status == 200
    h.stop()


@promise
def ten_thousand_idle_connections_are_held_and_one_more_is_told():
    n, spoken = by_size(1000, 10000), by_size(50, 500)
    need = n * 4 // 3 + 512     # Holdfast's, a quarter of which clients do not get; ours are fewer
    if hard < need:
        raise Skip(f"{n} connections need {need} descriptors, the hard limit is {hard}")
    h = another("many", f"connections = {n};")
    idle = [h.tls() for _ in range(spoken)]
    for c in idle:
        assert c.request("GET", "/", HOST).status == 200
    small = h.resident_kib()
    while len(idle) < n - 1:
        channel, answer = h.connect()
        assert answer.status == 200, answer.line
        idle.append(channel)
    page = admin_answers(h)
    assert page.get("holdfast_open_connections") == n - 1 == len(idle)
    assert h.get().status == 200        # the last place
    until(lambda: Page(h).get("holdfast_open_connections") == n - 1, what="its end")
    idle.append(h.connect()[0])
    assert is_turned_away(h.open())
    assert Page(h).get("holdfast_connections_refused_total") == 1
    each = (h.resident_kib() - small) / (n - spoken)
    assert IN_USE != RELEASE or each < 16, f"{each:.1f} KiB an idle tunnel"
    for c in (idle[0], idle[spoken - 1]):
        assert c.request("GET", "/", HOST).status == 200
    idle[-1].start_tls(h.client_context(), HOST)
    assert idle[-1].request("GET", "/", HOST).status == 200
    for c in idle:
        c.close()
    until(lambda: Page(h).get("holdfast_open_connections") == 0, what="the end of the idle ones")
    h.stop()


# ---- descriptors

def fill(h, most):
    """Tunnels until one client is turned away: (those that are in, how many were not)"""
    inside, away = [], 0
    while away < 10:
        assert len(inside) < most, "nobody was turned away"
        channel = h.open()
        if is_turned_away(channel):
            channel.close()
            away += 1
        else:
            inside.append(channel)
    return inside, away


@promise
def without_descriptors_clients_are_told_and_the_rest_goes_on():
    h = another("poor", argv_before=("prlimit", "--nofile=300:300"), workers=2)
    kept = [h.tls() for _ in range(10)]
    inside, away = fill(h, 300)
    page = admin_answers(h)
    assert page.get("process_open_fds") < page.get("process_max_fds") == 300
    assert page.get("holdfast_connections_refused_total") == away
    for c in kept:      # each may need a new connection to the service
        assert c.request("GET", "/", HOST).status == 200
    # a config and all its files can still be read
    assert h.reload()["msg"] == "config reloaded"
    assert admin_answers(h).get("holdfast_config_last_reload_successful") == 1
    for c in inside + kept:
        c.close()
    until(lambda: Page(h).get("holdfast_open_connections") == 0, what="the end of those inside")
    assert h.get().status == 200
    h.stop()


@promise
def without_descriptors_for_services_a_request_is_told_and_others_are_served():
    h = another("poorer", argv_before=("prlimit", "--nofile=200:200"))
    let_go = threading.Event()

    def hold(connection, request):
        connection.read_body(request)
        let_go.wait(300)
        return echo(connection, request)

    clients, _ = fill(h, 200)
    for c in clients:
        c.start_tls(h.client_context(), HOST)
    mark = h.mark()
    with service(hold):
        for c in clients:
            c.send(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n")
        refused = h.wait_requests(1, mark)
        assert {li["reason"] for li in refused} == {"too_many_connections"}, refused
        admin_answers(h)
    let_go.set()
    answers = [c.read_answer() for c in clients]
    assert {a.status for a in answers} == {200, 503}, [a.status for a in answers]
    assert {a.reason for a in answers} == {None, "too_many_connections"}
    for c in clients:
        c.close()
    until(lambda: Page(h).get("holdfast_open_connections") == 0, what="the end of the clients")
    assert h.get().status == 200
    h.stop()


# ---- memory

def data_kib(name, limits):
    """What it takes to serve one request, as the kernel counts against RLIMIT_DATA."""
    h = another(name, limits)
    h.get()
    used = int(h.status("VmData").split()[0])
    h.stop()
    return used


def figure():
    """docs/OPERATING.md: KiB for each connection whose every buffer is full, under default limits."""
    with open(os.path.join(os.path.dirname(__file__), "../../docs/OPERATING.md"), encoding="utf-8") as f:
        return int(re.search(r"at most (\d+) KiB for each", f.read())[1])


@promise
def full_buffers_stay_below_the_figure_in_the_manual():
    """Every client sends without end and reads nothing, every service answers without end and reads nothing."""
    if IN_USE != RELEASE:
        raise Skip("sanitizers have memory of their own; the binary we ship is not built")
    n = by_size(30, 60)
    limits = f"connections = {n + 2};"
    most = (data_kib("unstuffed", limits) + figure() * n) * 1024
    h = another("stuffed", limits, argv_before=("prlimit", f"--data={most}:{most}"))
    h.get()
    begun, let_go = threading.Semaphore(0), threading.Event()

    def pour(connection, _):
        begun.release()
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sock.settimeout(0.2)
        piece = b"10000\r\n" + b"s" * 65536 + b"\r\n"
        try:
            while not let_go.is_set():
                connection.sock.send(piece)
        except OSError:
            pass
        let_go.wait(300)
        return True

    with service(pour):
        rss = h.resident_kib()
        clients = [h.tls() for _ in range(n)]
        head = f"POST / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
        for c in clients:
            c.sock.settimeout(20)
            c.sock.sendall(head)
        for _ in clients:
            assert begun.acquire(timeout=120)
        piece = b"4000\r\n" + b"c" * 16384 + b"\r\n"
        for c in clients:       # until its socket takes no more: ours, the kernel's and Holdfast's buffers are full
            c.sock.settimeout(0.2)
            try:
                while c.sock.send(piece):
                    pass
            except OSError:
                pass
        page = admin_answers(h)
        used = h.resident_kib() - rss
        assert used < figure() * n, f"{used / n:.0f} KiB each"
        assert page.get("holdfast_open_connections") == n
    let_go.set()
    for c in clients:
        c.sock.close()
    until(lambda: Page(h).get("holdfast_open_connections") == 0, what="the end of the stuffed")
    assert h.get().status == 200
    h.stop()
    print(f"  {used / n:.0f} KiB each")


@promise
def where_memory_is_refused_nothing_is_completed():
    """A request whose allocation fails ends the process; what OpenSSL is refused ends one handshake."""
    if IN_USE != RELEASE:
        raise Skip("sanitizers have memory of their own; the binary we ship is not built")
    most = (data_kib("roomy", "") + 2048) * 1024
    h = another("starved", argv_before=("prlimit", f"--data={most}:{most}"))
    whole, clients = [], []

    def take(connection, request):
        whole.append(len(connection.read_body(request)))
        return echo(connection, request)

    with service(take):
        for _ in range(300):
            if h.process.poll() is not None:
                break
            try:
                clients.append(h.tls())
                clients[-1].send(f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 60001\r\n\r\n" + "b" * 60000)
            except (Closed, OSError, AssertionError):
                pass
    if h.process.poll() is None and not any("out of memory" in t or "Assertion" in t for t in h.text):
        h.kill(signal.SIGKILL)
        h.wait_exit()
    else:
        code = h.wait_exit()
        assert code == -signal.SIGABRT, (code, h.tail())
        assert any("out of memory" in t or "Assertion" in t for t in h.text), h.tail()
    assert not whole, "a request that was not whole was completed"


main(s.end)
