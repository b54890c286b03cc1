"""SIGHUP: a bad config changes nothing, a good one takes effect whole, what runs keeps the generation it began with, and 1,000 of
them under load lose and misjudge nothing."""

import threading

from holdfast import (ADDRESSES, Closed, PRIVATE, Sidecar, by_size, echo, main, own_network, promise, rows)

own_network(ADDRESSES)
s = Sidecar()
GOOD = s.config()
EXTRA = s.rule(paths='["/a/**", "/extra"]')


def generation():
    with s.h.tls() as c:
        mark = s.h.mark()
        assert c.request("GET", "/", "allowed.test").status == 200
        return s.h.wait_requests(1, mark)[0]["gen"]


BROKEN = [
    ("no-file-at-all", lambda t: ""),
    ("syntax", lambda t: t.replace("grants = (", "grants = ((")),
    ("unknown-key", lambda t: t.replace("methods =", "methdos =")),
    ("later-feature", lambda t: t.replace('methods = "any"', 'methods = "any"; opaque = true', 1)),
    ("bad-host", lambda t: t.replace('host = "allowed.test"', 'host = "http://allowed.test"')),
    ("bad-duration", lambda t: t.replace('ttl = "15m"', 'ttl = "fifteen"')),
    ("wrapped-integer", lambda t: t.replace("grants = (", "limits = { connections = 4294967297; };\ngrants = (")),
    ("missing-owner", lambda t: t.replace('owner = "tests@example";', "")),
    ("trust-file-gone", lambda t: t.replace("services-ca.pem", "no-such-file.pem")),
    ("other-door", lambda t: t.replace("127.0.0.1:0", "127.0.0.1:15999")),
    ("equal-uid", lambda t: t.replace("uid = 64901; };\nuser", "uid = 64902; };\nuser")),
    ("half-a-file", lambda t: t[:len(t) // 2]),
]


@rows(BROKEN)
def a_broken_config_changes_nothing(row):
    before = generation()
    mark = s.h.mark()
    line = s.h.reload(lambda h: row[1](GOOD(h)))
    assert line["msg"] == "config rejected" and line["generation"] == before, line
    told = [li for li in s.h.lines[mark:] if li["level"] == "error"]
    assert told, "no error was told"
    assert generation() == before
    assert s.h.get(target="denied.test:443").status == 403


@promise
def every_error_of_a_broken_config_is_told_at_once_with_its_line():
    mark = s.h.mark()
    s.h.reload(lambda h: GOOD(h).replace("methods =", "methdos =").replace('ttl = "15m"', 'ttl = "x"'))
    text = "\n".join(str(li) for li in s.h.lines[mark:])
    for part in ("methdos", "did you mean", "methods", "ttl", s.h.config_path + ":"):
        assert part in text, (part, text)


@promise
def an_error_is_one_record_also_where_a_terminal_would_be_shown_the_line():
    mark = s.h.mark()
    s.h.reload(lambda h: GOOD(h).replace('task = "standing"', "task = standing"))
    told = [li["msg"] for li in s.h.lines[mark:] if li["level"] == "error"]
    assert len(told) == 2 and told[1] == "config rejected", told
    assert told[0].startswith(s.h.config_path + ":") and told[0].endswith('write "standing"'), told


@promise
def a_good_config_takes_effect_whole():
    s.h.reload(GOOD)
    before = generation()
    line = s.h.reload(s.config(rules=EXTRA))
    assert (line["msg"], line["generation"]) == ("config reloaded", before + 1), line
    mark = s.h.mark()
    assert s.h.get("/extra").status == 200
    answer = s.h.get("/")
    assert (answer.status, answer.reason) == (403, "path_not_allowed")
    assert [li["gen"] for li in s.h.wait_requests(2, mark)] == [before + 1] * 2
    s.h.reload(GOOD)


@promise
def a_reload_does_not_change_the_ca_or_the_doors():
    ca, door = open(s.h.ca, "rb").read(), s.h.door()
    s.h.reload(s.config(rules=EXTRA))
    s.h.reload(GOOD)
    assert open(s.h.ca, "rb").read() == ca and s.h.door() == door
    assert s.h.get().status == 200


@promise
def an_open_connection_is_judged_by_the_new_config():
    with s.h.tls() as c:
        assert c.request("GET", "/", "allowed.test").status == 200
        s.h.reload(s.config(rules=EXTRA))
        answer = c.request("GET", "/", "allowed.test")
        assert (answer.status, answer.reason) == (403, "path_not_allowed"), answer.line
    s.h.reload(GOOD)


@promise
def a_running_exchange_keeps_the_generation_it_began_with():
    """As long as the new one would allow it, too: see test_tasks for what it would not."""
    go_on = threading.Event()

    def slowly(connection, request):
        connection.read_body(request)
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        go_on.wait(60)
        connection.send(b"6\r\nsecond\r\n0\r\n\r\n")

    s.h.reload(GOOD)
    before = generation()
    s.origin.answer = slowly
    mark = s.h.mark()
    with s.h.tls() as c:
        c.send("GET /extra HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
        assert c.read_head().status == 200
        s.h.reload(s.config(rules=EXTRA))
        s.origin.answer = echo
        assert s.h.get("/").reason == "path_not_allowed", "new requests are judged anew"
        go_on.set()
        c.until(b"second\r\n0\r\n\r\n")
    lines = s.h.wait_requests(2, mark)
    assert sorted((li["gen"], li["reason"]) for li in lines) == [(before, "ok"), (before + 1, "path_not_allowed")], lines
    s.h.reload(GOOD)


def load(stop, failures, counts):
    """Keep-alive requests, allowed and refused, until told to stop; each must get what its generation says. One that runs
    when it is no longer allowed is cut, and its connection ends."""
    n = 0
    while not stop.is_set():
        with s.h.tls() as c:
            for _ in range(50):
                n += 1
                for path, right in (("/always", {200}), ("/never", {403}), ("/sometimes", {200, 403, "cut"})):
                    try:
                        answer = c.request("GET", f"{path}/{n}", "allowed.test")
                        told = "cut" if answer.reason == "task_ended" else answer.status
                    except Closed:
                        told = "cut"
                    counts[told] = counts.get(told, 0) + 1
                    if told not in right:
                        failures.append((path, told, told != "cut" and answer.body))
                        return
                if told == "cut":
                    break


@promise
def a_thousand_reloads_under_load_lose_and_misjudge_nothing():
    with_it = s.config(rules=s.rule(paths='["/always/**", "/sometimes/**"]'))
    without = s.config(rules=s.rule(paths='["/always/**"]'))
    s.h.reload(with_it)
    mark, served = s.h.mark(), len(s.origin.requests)
    stop, failures, counts = threading.Event(), [], [{} for _ in range(3)]
    threads = [threading.Thread(target=_guarded, args=(load, stop, failures, c), daemon=True) for c in counts]
    for t in threads:
        t.start()
    reloads = by_size(100, 1000, 3000)
    allows = {}
    for i in range(reloads):
        line = s.h.reload(without if i % 2 == 0 else with_it)
        assert line["msg"] == "config reloaded", line
        allows[line["generation"]] = i % 2 == 1
    stop.set()
    for t in threads:
        t.join(60)
        assert not t.is_alive(), "a client is stuck"
    assert not failures, failures[:3]
    sent = sum(sum(c.values()) for c in counts)
    lines = s.h.wait_requests(sent, mark)
    assert len(lines) == sent and sent > reloads, (len(lines), sent)
    wrong = [li for li in lines if li["path"].startswith("/sometimes") and li["gen"] in allows and li["reason"] != "task_ended"
             and (li["reason"] == "ok") != allows[li["gen"]]]
    assert not wrong, wrong[:3]
    assert sum(li["reason"] == "ok" for li in lines) == sum(c.get(200, 0) for c in counts)
    cut = [li for li in lines if li["reason"] == "task_ended"]
    assert len(cut) == sum(c.get("cut", 0) for c in counts) and all(li["path"].startswith("/sometimes") for li in cut), cut[:3]
    seen = len(s.origin.requests) - served
    assert 0 <= seen - sum(li["reason"] == "ok" for li in lines) <= len(cut), seen
    s.h.reload(GOOD)


def _guarded(function, stop, failures, counts):
    try:
        function(stop, failures, counts)
    except BaseException as e:
        failures.append(repr(e))


@promise
def a_tightened_rule_cuts_no_corner_for_a_pooled_connection():
    """A connection opened while a private address was allowed is not used once it is not."""
    from holdfast import Origin
    inside = Origin(PRIVATE, 443, s.ws.leaf("inside.test"))
    names = f'resolver = {{ hosts = ( {{ name = "inside.test"; addresses = ["{PRIVATE}"]; }} ); }};'
    s.h.reload(s.config(rules=s.rule("inside.test", more=f'addresses = ["{PRIVATE}"];'), names=names))
    assert s.h.get(target="inside.test:443").status == 200
    s.h.reload(s.config(rules=s.rule("inside.test"), names=names))
    answer = s.h.get(target="inside.test:443")
    assert (answer.status, answer.reason) == (403, "address_prohibited"), answer.line
    assert len(inside.requests) == 1
    s.h.reload(GOOD)


main(s.end)
