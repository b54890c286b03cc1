"""The 155 requests of vectors/http1-framing, inside TLS and in the clear: nothing is smuggled, one decision for each request the
service saw, and Holdfast stays up."""

import base64

from holdfast import ADDRESSES, PUBLIC, Closed, Origin, Sidecar, main, own_network, promise, rows, vectors

own_network(ADDRESSES)
CASES = vectors("http1-framing/cases.jsonl")
PIPELINED = {"ok-pipeline": 2}
STRIPPED = {"h-conn-named": ["x-secret"], "h-te-header": ["te"]}
# Without the field they would be whole: a client that asks for another protocol is told that it gets none.
UPGRADES = ["h-upgrade-h2c", "h-upgrade-any"]
whole = []          # requests whose body ended as their head promised


def record(connection, request):
    if (request.get("expect") or "").lower() == "100-continue":
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    connection.read_body(request)
    whole.append(request)
    connection.reply(200, "seen")


PLAIN_TOO = ', { host = "allowed.test"; scheme = "http"; port = 80; methods = "any"; paths = "any"; }'
s = Sidecar(answer=record, limits='head_timeout = "2s"; stream_idle = "2s"; connection_idle = "2s"; refusal_leaf_rate = 1000;', also=PLAIN_TOO)
plain = Origin(PUBLIC, 80, answer=record)


def tunnel(secure):
    if secure:
        return s.h.tls()
    channel, answer = s.h.connect("allowed.test:80")
    assert answer.status == 200
    return channel


def answers(case, secure, most):
    """What the client is told, and whether the connection was then closed."""
    with tunnel(secure) as channel:
        got = []
        try:
            channel.send(base64.b64decode(case["raw_b64"]))
        except Closed:
            pass                        # refused before all was sent: what it said is still there to be read
        try:
            while len(got) < most:
                got.append(channel.read_answer("HEAD" if case["raw_b64"].startswith("SEVB") else "GET"))
        except Closed:
            return got, True
        if got[-1].status >= 400:
            return got, channel.is_closed()
        return got, False


def lines(mark):
    """What the log tells of the requests since mark, all of them."""
    s.h.mark()
    return s.h.requests(mark)


def judge(case, secure):
    mark, done = s.h.mark(), len(whole)
    got, closed = answers(case, secure, PIPELINED.get(case["id"], 2 if case["expect"] == "first-only" else 1))
    statuses = [a.status for a in got]
    finished = whole[done:]

    if case["id"] in UPGRADES:
        assert case["expect"] == "strip" and [(a.status, a.reason) for a in got] == [(403, "upgrade_refused")], statuses
        assert not finished
    elif case["expect"] == "accept":
        assert statuses == [200] * PIPELINED.get(case["id"], 1), statuses
        assert len(finished) == len(statuses)
    elif case["expect"] == "reject":
        assert closed and all(400 <= t < 500 or t in (501, 505) for t in statuses), (statuses, closed)
        assert statuses or not secure, "closed without a word"
        assert not finished, "the service took it for a whole request"
        sent = [li for li in lines(mark) if "up" in li]
        assert not sent, "it was sent on"
    elif case["expect"] == "first-only":
        assert len(statuses) == 2 and statuses[0] == 200 and 400 <= statuses[1] < 500, statuses
        assert len(finished) == 1
    elif case["expect"] == "strip":
        assert statuses == [200], statuses
        names = [n for n, _ in finished[0].fields]
        assert not set(STRIPPED[case["id"]]) & set(names) and "host" in names, names
    else:
        assert closed or statuses[0] < 500 or statuses[0] in (501, 505), statuses
    forwarded = [li["method"] for li in lines(mark) if li["reason"] == "ok"]
    assert forwarded == [r.method for r in finished], (forwarded, finished)


@rows(CASES)
def inside_tls(case):
    judge(case, True)


@rows(CASES)
def in_the_clear(case):
    judge(case, False)


@promise
def nothing_was_smuggled():
    for service in (s.origin, plain):
        assert not any("smuggled" in r.target for r in service.requests)
        assert b";a=b" not in service.raw(), "a chunk extension is the client's own framing"
    sent = [li for li in lines(0) if "up" in li]
    assert len([li for li in sent if li["reason"] == "ok"]) == len(whole), "one decision for each whole request"
    assert len(sent) >= len(s.origin.requests) + len(plain.requests), "and one for each that was cut short"
    assert s.h.get().status == 200, "it still serves"


main(s.end)
