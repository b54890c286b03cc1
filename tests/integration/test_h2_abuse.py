"""Clients and services that abuse HTTP/2, class by class of vectors/http2-abuse: whoever does is cut or comes to nothing, costs
little, and nobody else notices."""

import os
import resource
import ssl
import threading

import h2_frames as h2
from h2_abuse import FIRST, Client, Upstream, head, number
from h2_origin import H2Origin, client_context, tunnel
from h2_peer import Peer
from h2_scene import Scene
from h2_stream import Stream
from holdfast import (ADDRESSES, BINARY, RELEASE, Closed, Skip, PRIVATE, by_size, hosts, main, own_network, promise, rows, vectors)
from ops import DOOR, Page
from patience import until

own_network(ADDRESSES)
IN_USE = RELEASE if os.path.exists(RELEASE) else BINARY
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
N = by_size(4000, 20000)
CPU_SECONDS, GROWTH_KIB = 0.5, 16 << 10
HOSTILE = "hostile.test"
LIMITS = ('head_timeout = "10s"; connection_idle = "10s"; stream_idle = "10s"; worker_stuck = "1h"; drain = "1s"; connections = 1000; '
          'handshake_timeout = "10s";')


class Abused(Scene):
    """One, two, and a third service that is hostile when a promise says so."""

    def __init__(self):
        super().__init__(limits=LIMITS, binary=IN_USE, doors=DOOR, workers=1)

    def rules(self):
        hostile = (f'{{ host = "{HOSTILE}"; methods = "any"; paths = "any"; addresses = ["{PRIVATE}"]; '
                   f'upstream_trust = "{self.ws.ca.file}"; }}')
        return super().rules() + ", " + hostile

    def config(self, **changed):
        names = hosts(one_test="20.0.0.10", two_test="20.0.0.20", hostile_test=PRIVATE, denied_test="169.254.169.254")
        return super().config(names=names, **changed)


s = Abused()


class Cost:
    """What Holdfast spends while this lasts. On a build with sanitizers only told."""

    def __init__(self, cpu=CPU_SECONDS, growth=GROWTH_KIB):
        self.most_cpu, self.most_growth = cpu, growth

    def __enter__(self):
        with open(f"/proc/{s.h.pid}/clear_refs", "w", encoding="ascii") as f:
            f.write("5")                # the peak begins anew
        self.cpu, self.kib = self.spent(), s.h.resident_kib()
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            return
        cpu, growth = self.spent() - self.cpu, int(s.h.status("VmHWM").split()[0]) - self.kib
        print(f"  {cpu:.2f} s, {growth} KiB")
        assert IN_USE != RELEASE or (cpu < self.most_cpu and growth < self.most_growth), f"{cpu:.2f} s, {growth} KiB"

    @staticmethod
    def spent():
        with open(f"/proc/{s.h.pid}/stat", encoding="ascii") as f:
            fields = f.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def others_are_served():
    with tunnel(s.h, "two.test:443") as p:
        assert p.request("GET", "/plain/other?bytes=7", "two.test").answer().body_bytes == 7
    assert s.asking("h1", "h1")("GET", "/plain/other").status == 200


def silent(h):
    """A connection of which nothing was said."""
    channel = h.tls("two.test:443", context=client_context(h))
    return Peer(channel.sock, False, greeting=False)


# ---- by a client

CUT, EITHER = "cut", "either"
CLIENTS = [
    ("rapid-reset", "rapid_reset", CUT), ("rapid-reset-between", "rapid_reset_between", CUT),
    ("made-you-reset-window-0", "reset_by_window_0", CUT),
    ("made-you-reset-window-overflow", "reset_by_window_overflow", CUT), ("made-you-reset-data", "reset_by_data_after_end", CUT),
    ("made-you-reset-priority", "reset_by_priority_of_wrong_length", CUT),
    ("made-you-reset-itself", "reset_by_priority_on_itself", EITHER),
    ("made-you-reset-length", "reset_by_content_length", CUT), ("made-you-reset-head", "reset_by_head", CUT),
    ("continuation", "continuation", CUT), ("empty-frames-continuation", "empty_continuation", CUT),
    ("empty-frames-data", "empty_data", CUT), ("empty-frames-padded", "padded_data", EITHER),
    ("empty-frames-headers", "empty_headers", CUT), ("ping", "ping", CUT), ("settings", "settings", CUT),
    ("settings-entries", "settings_of_many_entries", CUT), ("priority", "priority", EITHER),
    ("window-update", "window_update", EITHER), ("dribble", "dribble", EITHER), ("hpack-bomb", "hpack_bomb", EITHER),
    ("cookie-crumbs", "cookie_crumbs", EITHER), ("table-flip", "table_flip", EITHER),
    ("table-flip-blocks", "table_flip_within_blocks", EITHER), ("many-streams", "many_streams", CUT),
    ("unknown-frames", "unknown_frames", EITHER), ("unknown-frames-stream", "unknown_frames_of_a_stream", EITHER),
]


def asked():
    return len(s.one.requests) + len(s.two.requests)


@rows(CLIENTS)
def a_client_that_abuses_it_is_cut_or_bounded(row):
    _, attack, end = row
    others_are_served()
    before = asked()
    with Cost(), tunnel(s.h, "two.test:443") as p:
        assert p.request("GET", "/plain/first", "two.test").answer().status == 200
        getattr(Client(p, "two.test", N), attack)()
        others_are_served()
        p.reads = True
        if end == CUT:
            p.wait_over()
        else:
            try:
                p.ping()
            except Closed:
                pass
    assert asked() - before < 3000, f"{asked() - before} requests came out of it"
    s.h.assert_alive()


@promise
def a_client_that_takes_back_every_other_request_works_on():
    at_once = 20
    with tunnel(s.h, "two.test:443") as p:
        for _ in range(by_size(30, 100)):
            streams = [p.request("GET", "/plain/x", "two.test") for _ in range(2 * at_once)]
            for stream in streams[at_once:]:
                stream.cancel()
            assert {stream.answer().status for stream in streams[:at_once]} == {200}, p.goaways


@rows([("slow-headers", "slow_headers"), ("preface-only", "preface_only"), ("slow-preface", "slow_preface")])
def a_client_that_is_slow_on_purpose_is_ended(row):
    name, attack = row
    others_are_served()
    with Cost(), (tunnel(s.h, "two.test:443") if name == "slow-headers" else silent(s.h)) as p:
        if name == "slow-headers":
            p.ping()                    # nothing of ours is to come between
        getattr(Client(p, "two.test", N), attack)()
        others_are_served()
        p.wait_over()
    s.h.assert_alive()


@promise
def a_client_that_drips_its_head_is_ended_however_it_drips():
    with Cost(), tunnel(s.h, "two.test:443") as p:
        p.ping()
        Client(p, "two.test", N).slow_headers()
        at = 0
        while not p.over and at < 100000:
            p.send(h2.frame(h2.CONTINUATION, 0, FIRST, h2.literal([(f"x-{at}", "y")])))
            at += 1
            try:
                p.wait(lambda q: q.over, "the end", 0.5)
            except AssertionError:
                continue
        assert p.over
    others_are_served()


@promise
def streams_beyond_the_limit_are_refused_and_those_within_go_on():
    """Of a client that could not know it yet; who knows it and goes on is cut."""
    most = 100
    with silent(s.h) as p:
        p.send(h2.PREFACE + h2.settings() + b"".join(head(i, "two.test", end=False, method="POST") for i in range(most + 20)))
        p.next_id = FIRST
        streams = [p.streams.setdefault(number(i), Stream(p, number(i))) for i in range(most + 20)]
        inside, beyond = streams[:most], streams[most:]
        told = {x.outcome() for x in beyond}
        assert told == {("reset", h2.REFUSED_STREAM)}, (told, p.goaways)
        assert p.told[h2.MAX_CONCURRENT_STREAMS] == most, p.told
        for x in inside:
            x.data(b"x", end=True)
        assert {x.answer().status for x in inside} == {200}


@promise
def a_head_that_unpacks_to_more_than_the_limit_is_refused_by_its_real_size():
    with tunnel(s.h, "two.test:443") as p:
        fields = [("x-large", "v" * 4000)] * 12
        answer = p.request("GET", "/plain/x", "two.test", fields)
        told = answer.outcome()
        assert told in (("whole", 431), ("reset", told[1])), told
        answer = p.request("GET", "/plain/x", "two.test", [("cookie", "a=b")] * 150).outcome()
        assert answer in (("whole", 431), ("reset", answer[1])), answer
        assert p.request("GET", "/plain/x", "two.test").answer().status == 200, "the connection goes on"


# ---- by a service

UPSTREAMS = [("rapid-reset", "rapid_reset"), ("promised", "promised"), ("made-you-reset-window-0", "reset_by_window_0"),
             ("made-you-reset-window-overflow", "reset_by_window_overflow"), ("made-you-reset-data", "reset_by_data_after_end"),
             ("made-you-reset-before", "reset_by_data_before_head"), ("made-you-reset-head", "reset_by_head"),
             ("interim", "interim_without_end"), ("continuation", "continuation"), ("empty-continuation", "empty_continuation"),
             ("empty-frames", "empty_data"), ("empty-frames-padded", "padded_data"), ("ping", "ping"), ("settings", "settings"),
             ("settings-entries", "settings_of_many_entries"), ("priority", "priority"), ("window-update", "window_update"),
             ("hpack-bomb", "hpack_bomb"), ("cookie-crumbs", "cookie_crumbs"), ("table-flip", "table_flip"),
             ("many-streams", "many_streams"), ("slow-headers", "slow_headers"), ("unknown-frames", "unknown_frames"),
             ("unknown-frames-stream", "unknown_frames_of_a_stream")]


class Hostile:
    """The third service while it does this to the first that asks."""

    def __init__(self, attack, **more):
        self.done = threading.Event()
        self.attack = attack
        self.origin = H2Origin(PRIVATE, 443, s.ws.leaf(HOSTILE), answer=self.answer, **more)

    def __enter__(self):
        return self.origin

    def __exit__(self, *_):
        self.origin.stop()

    def answer(self, stream):
        try:
            getattr(Upstream(stream, N), self.attack)()
            stream.peer.reads = True
        finally:
            self.done.set()


def ask_hostile(kind, method="GET", body=None):
    """What a client saw: a status, or None when its answer was cut."""
    try:
        if kind == "h2":
            with tunnel(s.h, HOSTILE + ":443") as p:
                told = p.request(method, "/", HOSTILE, body=body).outcome()
                return told[1] if told[0] == "whole" else None
        with s.h.tls(HOSTILE + ":443") as c:
            c.sock.settimeout(120)
            return c.request(method, "/", HOSTILE, body=body).status
    except (Closed, ssl.SSLError, OSError):
        return None


@rows([(f"{kind}-{name}", kind, attack) for kind in ("h2", "h1") for name, attack in UPSTREAMS])
def a_service_that_abuses_it_is_cut_or_bounded(row):
    _, kind, attack = row
    others_are_served()
    hostile = Hostile(attack)
    with Cost(), hostile as origin:
        status = ask_hostile(kind)
        assert status is None or status in (200, 502, 504), status
        assert hostile.done.wait(300)
        others_are_served()
        assert len(origin.connections) <= 2, "it was asked once, or once more"
    s.h.assert_alive()


@rows([("h2", "h2"), ("h1", "h1")])
def a_service_that_takes_a_body_byte_by_byte_holds_up_nobody(row):
    _, kind = row
    others_are_served()
    hostile = Hostile("dribble", settings={h2.INITIAL_WINDOW_SIZE: 1})
    with Cost(), hostile:
        status = ask_hostile(kind, "POST", b"x" * 1000000)
        assert status is None or status in (502, 504, 408), status
        others_are_served()
    s.h.assert_alive()


@rows([("h2", "h2"), ("h1", "h1")])
def a_service_that_agrees_on_http_2_and_is_silent_is_given_up(row):
    _, kind = row
    others_are_served()
    with Cost(), H2Origin(PRIVATE, 443, s.ws.leaf(HOSTILE), greeting=False, answer=lambda stream: None) as origin:
        del origin
        status = ask_hostile(kind)
        assert status is None or status in (502, 504), status
        others_are_served()
    s.h.assert_alive()


@promise
def every_class_of_the_vectors_has_its_rows():
    classes = {c["id"] for c in vectors("http2-abuse/cases.json")["cases"]} - {"upstream-same"}
    by_client = {r[0] for r in CLIENTS} | {"slow-headers", "preface-only"}
    by_service = {r[0] for r in UPSTREAMS} | {"dribble", "preface-only"}
    for c in classes:
        assert any(r.startswith(c) for r in by_client) and any(r.startswith(c) for r in by_service), c


# ---- many

@promise
def ten_thousand_streams_over_a_hundred_connections_are_held_in_bounded_memory():
    connections, each = by_size(20, 100), 100
    if hard < 4 * connections + 512:
        raise Skip(f"the hard limit of descriptors is {hard}")
    held = []
    s.two.answer = held.append
    s.two.more["inline"] = True
    peers = [tunnel(s.h, "two.test:443") for _ in range(connections)]
    kib = s.h.resident_kib()
    streams = [p.request("GET", f"/plain/{i}", "two.test") for p in peers for i in range(each)]
    until(lambda: len(held) == len(streams) or any(x.reset is not None or x.whole for x in streams), "all of them")
    per = (s.h.resident_kib() - kib) / len(streams)
    print(f"  {per:.1f} KiB a stream")
    assert len(held) == len(streams), (len(held), [(x.outcome(), x.reason) for x in streams if x.whole or x.reset is not None][:3])
    assert IN_USE != RELEASE or per < 32, f"{per:.1f} KiB"
    assert Page(s.h).get("holdfast_open_connections") >= connections
    for stream in list(held):
        stream.reply(200, b"ok")
    assert {x.answer().status for x in streams} == {200}
    for p in peers:
        p.close()
    s.two.more["inline"] = False


main(s.end)
