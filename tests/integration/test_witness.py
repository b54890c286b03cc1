"""The place elsewhere that is sent the ledger's checkpoints: what it has finds a cut tail and an old state put back; and
while it is away, slow, wrong or malicious, requests go on, it is told, and it has the newest when it comes back."""

import json
import os
import shutil
import signal
import threading

import ledger
from control import Control, holdfast
from holdfast import (ADDRESSES, METADATA, PRIVATE, PUBLIC, PUBLIC2, Holdfast, Origin, Sidecar, Trap, by_size, echo,
                      forward_config, hosts, main, own_network, promise, rows)
from ops import DOOR, Page, ask as probe
from patience import until

own_network(ADDRESSES)
RULES = '{{ host = "allowed.test"; methods = ["GET"]; paths = ["/ok/**"]; {trust} }}'
PORT = 8443
LONG = 'timeout = "60s";'       # of a witness that answers, however slow this machine is
numbers = iter(range(1000))


class Scene(Sidecar):
    """One service; a Holdfast and a witness of its own for each promise."""

    def __init__(self):
        super().__init__(answer=echo)
        self.h.stop()

    def place(self, path="/checkpoints?of=tests", port=PORT, more=LONG, trust=None):
        return (f'witness = {{ url = "https://witness.test:{port}{path}"; '
                f'trust = "{trust or self.ws.ca.file}"; {more} }};')

    def written(self, witness, at=PRIVATE, **changed):
        names = hosts(allowed_test=PUBLIC, denied_test=PUBLIC2, witness_test=at)
        text = forward_config(RULES.format(trust=self.trust), names=names, doors=DOOR, **changed)
        return lambda h: (text(h).replace('/ledger"; };', f'/ledger"; {witness} }};') +
                          f'control = {{ socket = "{h.run}/control/socket"; }};\n')

    def start(self, witness, name=None, **changed):
        h = Holdfast(self.ws, self.written(witness, **changed), name=name or f"h{next(numbers)}")
        assert ask(h) == 200
        return h

    def end(self):
        assert not self.denied.connections, "a service that no rule names was connected to"
        self.ws.remove()


def accept(connection, request):
    del request
    connection.reply(201, "noted")
    return True


class Witness:
    """It stores the bodies that it acknowledges, and that is all."""

    standing = {}                               # by port: what a promise that failed has left behind makes way

    def __init__(self, how=accept, port=PORT, leaf=None):
        self.how, self.bodies = how, []
        if port in self.standing:
            self.standing.pop(port).stop()
        self.origin = Origin(PRIVATE, port, leaf or s.ws.leaf("witness.test"), answer=self.answer)
        self.standing[port] = self.origin

    def answer(self, connection, request):
        body = connection.read_body(request)
        if self.how is accept:
            self.bodies.append(body)
        return self.how(connection, request)

    def anchor(self):
        """Its last body, as a file."""
        return s.ws.file(f"anchor-{next(numbers)}", self.bodies[-1])

    def lines(self):
        """In the order they came; what came again, because its acknowledgement was not waited for, once."""
        return list(dict.fromkeys(line for body in self.bodies for line in body.splitlines()))

    def stop(self):
        self.origin.stop()


s = Scene()


def ask(h):
    return h.get("/ok/1").status


def figure(h, name):
    return Page(h).samples.get((name, ()))


def has_all(h):
    """The witness has what the ledger has, and that is something."""
    page = Page(h)
    last = page.samples["holdfast_ledger_last_checkpoint", ()]
    return 0 < last == page.samples["holdfast_witness_last_checkpoint", ()]


def has_failed(h, times=2):
    return figure(h, "holdfast_witness_failures_total") >= times


def place(h):
    return os.path.join(h.run, "ledger")


def verify(h, *more):
    return holdfast("audit", "verify", "--ledger", place(h), *more)


def lines_of(h, msg):
    return [li for li in h.lines if li.get("msg") == msg]


def expect_lines(w, h):
    """What the witness has: the ledger's own checkpoints, in order, with the last of all. Of two that come to the disk at
    once only the later is sent."""
    with open(os.path.join(place(h), "key.jwk"), encoding="ascii") as f:
        kept = [line for _, line in ledger.verify(place(h), json.load(f)) if b'"kind":"checkpoint"' in line]
    lines = w.lines()
    assert lines == [line for line in kept if line in lines] and lines[-1] == kept[-1], (lines, kept)
    return [json.loads(line)["seq"] for line in lines]


# ---- what it has

@promise
def each_checkpoint_is_sent_and_the_last_one_at_the_end():
    w = Witness()
    h = s.start(s.place())
    made = [0]
    for _ in range(by_size(3, 5)):
        assert ask(h) == 200
        until(lambda: figure(h, "holdfast_ledger_last_checkpoint") > made[-1] and has_all(h), what="the next checkpoint")
        made.append(int(figure(h, "holdfast_witness_last_checkpoint")))
    h.stop()
    w.stop()
    seqs = expect_lines(w, h)
    assert set(made[1:]) <= set(seqs) and seqs[-1] > made[-1], (made, seqs)
    assert w.bodies[-1].endswith(w.lines()[-1] + b"\n")
    for q in w.origin.requests:
        assert (q.line, q.get("host"), q.get("content-type")) == \
            ("POST /checkpoints?of=tests HTTP/1.1", f"witness.test:{PORT}", "application/x-ndjson"), q.head
        assert {n for n, _ in q.fields} == {"host", "content-type", "user-agent", "content-length"}, q.fields
    done = verify(h, "--checkpoint", w.anchor())
    assert done.returncode == 0 and "closed in order" in done.stdout, done.stdout
    (works,) = lines_of(h, "witness works")
    assert works["to"] == f"witness.test:{PORT}" and works["passed_over"] == 0 and "of=tests" not in json.dumps(h.lines)
    assert lines_of(h, "witness has the end")[0]["seq"] == seqs[-1]


@promise
def what_it_has_finds_a_cut_tail():
    w = Witness()
    h = s.start(s.place())
    h.stop()
    w.stop()
    path = os.path.join(place(h), ledger.name_of(1))
    with open(path, "rb") as f:
        lines = f.read().splitlines(keepends=True)
    with open(path, "wb") as f:
        f.writelines(lines[:-3])
    os.remove(os.path.join(place(h), "checkpoint"))         # as whoever cuts it would
    assert verify(h).returncode == 0, "a cut tail is found without what the witness has, too"
    done = verify(h, "--checkpoint", w.anchor())
    assert done.returncode == 1 and "the tail was cut" in done.stdout, done.stdout


@promise
def what_it_has_finds_an_old_state_put_back():
    w = Witness()
    h = s.start(s.place(), name := f"h{next(numbers)}")
    h.stop()
    old = place(h) + ".old"
    shutil.copytree(place(h), old)
    h = s.start(s.place(), name)
    h.stop()
    w.stop()
    assert verify(h, "--checkpoint", w.anchor()).returncode == 0
    shutil.rmtree(place(h))
    os.rename(old, place(h))
    assert verify(h).returncode == 0, "an old state is found without what the witness has, too"
    done = verify(h, "--checkpoint", w.anchor())
    assert done.returncode == 1 and "older state put back" in done.stdout, done.stdout


# ---- what goes wrong with it

def replies(status, body="", fields=()):
    def how(connection, request):
        del request
        connection.reply(status, body, fields)
        return True
    return how


def says_nothing(connection, request):
    del request
    connection.read()                           # until the other end gives up
    return True


def is_huge(connection, request):
    del request
    connection.reply(200, b"x" * 5000)
    return True


def drips(connection, request):
    """Never whole, and never silent for long."""
    del request
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n")
    while True:
        connection.send(b"x")
        connection.closed.wait(0.02)


WRONG = [
    {"id": "down", "what": {"reason": "connect_failed"}},
    {"id": "500", "how": replies(500, "no"), "what": {"status": 500}},
    {"id": "redirect", "how": replies(307, fields=[("Location", "/elsewhere")]), "what": {"status": 307}},
    {"id": "silent", "how": says_nothing, "what": {"reason": "upstream_timeout"}, "more": 'timeout = "2s";'},
    {"id": "dripping", "how": drips, "what": {"reason": "upstream_timeout"}, "more": 'timeout = "2s";'},
    {"id": "huge-answer", "how": is_huge, "what": {"reason": "answer_too_large"}},
    {"id": "other-name", "leaf": lambda: s.ws.leaf("other.test"), "what": {"reason": "upstream_certificate"}},
    {"id": "unknown-authority", "leaf": lambda: s.ws.leaf("witness.test", ca=s.ws.other_ca),
     "what": {"reason": "upstream_certificate"}},
    {"id": "metadata", "at": [PRIVATE, METADATA], "what": {"reason": "address_prohibited"}},
]


@rows(WRONG)
def while_it_is_away_requests_go_on_and_it_has_the_newest_when_it_is_back(row):
    w = Witness(row.get("how", accept), leaf=row["leaf"]() if "leaf" in row else None) if row["id"] != "down" else None
    at = row.get("at", PRIVATE)
    traps = [Trap(METADATA, PORT)] if "at" in row else []
    h = s.start(s.place(more=row.get("more", LONG)), at=at)
    line = h.wait_for("witness fails")
    assert {k: line.get(k) for k in row["what"]} == row["what"] and line["to"] == f"witness.test:{PORT}", line
    until(lambda: ask(h) == 200 and has_failed(h), what="a second failure")
    page = Page(h)
    assert page.samples["holdfast_witness_last_checkpoint", ()] == 0
    assert page.samples["holdfast_witness_waiting_seconds", ()] > 0
    assert ("holdfast_witness_age_seconds", ()) not in page.samples
    assert probe(h, "/readyz")[0] == probe(h, "/healthz")[0] == 200, "it is not what readiness is about"
    with Control(f"{h.run}/control/socket") as c:
        told = c.ask("status")["ledger"]["witness"]
    assert told["failing"] and told["waiting"] >= 1 and told["checkpoint"] == 0 and told["failures"] >= 2, told
    assert told["url"] == f"https://witness.test:{PORT}/checkpoints"
    assert len(lines_of(h, "witness fails")) == 1, "each try is told"
    if "reason" in row["what"]:
        again = [li for li in h.lines if li.get("reason") == row["what"]["reason"] and li["msg"] != "witness fails"]
        assert len(again) <= 1, again
    assert all(q.target.startswith("/checkpoints") for q in w.origin.requests) if w else True, "a redirect was followed"
    assert not any(t.visits for t in traps), "a metadata service was connected to"
    for t in traps:
        t.stop()
    if w:
        w.stop()
    well = Witness()
    if "at" in row:
        h.reload(s.written(s.place()))
    until(lambda: has_all(h), what="the witness back")
    h.stop()
    well.stop()
    expect_lines(well, h)
    (works,) = lines_of(h, "witness works")
    assert works["passed_over"] == 0 and len(lines_of(h, "witness fails")) == 1
    assert verify(h, "--checkpoint", well.anchor()).returncode == 0


@promise
def what_waited_comes_in_one_body_that_verify_takes_as_it_is():
    h = s.start(s.place())
    h.wait_for("witness fails")
    for n in range(2, 4):
        assert ask(h) == 200

        def waiting():
            with Control(f"{h.run}/control/socket") as c:
                return c.ask("status")["ledger"]["witness"]["waiting"] >= n
        until(waiting, what="another checkpoint that waits")
    w = Witness()
    until(lambda: has_all(h), what="the witness back")
    first = w.bodies[0]
    assert len(first.splitlines()) >= 3
    done = verify(h, "--checkpoint", s.ws.file(f"anchor-{next(numbers)}", first))
    assert done.returncode == 0, done.stdout + done.stderr
    h.stop()
    w.stop()


# ---- the end of Holdfast

@promise
def without_a_witness_it_ends_all_the_same_and_says_so():
    h = s.start(s.place(more='timeout = "500ms";'))
    h.wait_for("witness fails")
    h.stop()
    (lacks,) = lines_of(h, "witness lacks the end")
    assert lacks["seq"] == 0 and not lines_of(h, "witness has the end")
    assert verify(h).returncode == 0, "the ledger itself is closed in order"


@rows([(name, getattr(signal, name)) for name in ("SIGTERM", "SIGINT", "SIGQUIT")])
def a_second_signal_ends_the_waiting_for_it(row):
    release = threading.Event()

    def hangs(connection, request):
        del connection, request
        release.wait()
        return True
    w = Witness(hangs)
    h = s.start(s.place(more='timeout = "60s";'))
    w.origin.wait(lambda o: o.requests, 60, "the first checkpoint")
    h.kill(signal.SIGTERM)
    h.wait_for("ended", timeout=60)
    w.origin.wait(lambda o: len(o.requests) >= 2, 60, "the last checkpoint")
    for harmless in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        h.kill(harmless)
    h.kill(row[1])
    assert h.wait_exit() == 0
    h.assert_clean()
    assert lines_of(h, "witness lacks the end"), h.tail()
    release.set()
    w.stop()


@promise
def what_a_killed_one_did_not_send_the_next_one_vouches_for():
    h = s.start(s.place(), name := f"h{next(numbers)}")
    h.wait_for("witness fails")
    h.kill(signal.SIGKILL)
    h.wait_exit()
    w = Witness()
    h = s.start(s.place(), name)
    until(lambda: has_all(h), what="a checkpoint over all of it")
    h.stop()
    w.stop()
    assert verify(h, "--checkpoint", w.anchor()).returncode == 0


# ---- reload

@promise
def a_reload_may_name_one_another_one_or_none():
    first, second = Witness(), Witness(port=PORT + 1)
    h = s.start("")
    assert figure(h, "holdfast_witness_failures_total") is None
    until(lambda: figure(h, "holdfast_ledger_last_checkpoint") > 0, what="a checkpoint")
    assert h.reload(s.written(s.place()))["msg"] == "config reloaded"
    until(lambda: has_all(h), what="what there was already")
    assert h.reload(s.written(s.place(port=PORT + 1)))["msg"] == "config reloaded"
    until(lambda: has_all(h), what="the newest, at another witness")
    seen = len(first.origin.connections)
    assert second.bodies and first.bodies
    assert h.reload(s.written(""))["msg"] == "config reloaded"
    assert figure(h, "holdfast_witness_failures_total") is None
    with Control(f"{h.run}/control/socket") as c:
        assert c.ask("status")["ledger"]["witness"] is None
    assert ask(h) == 200
    before = len(second.origin.connections)
    h.stop()
    assert (len(first.origin.connections), len(second.origin.connections)) == (seen, before), "it goes on"
    assert not lines_of(h, "witness has the end") and not lines_of(h, "witness lacks the end")
    assert verify(h, "--checkpoint", second.anchor()).returncode == 0
    first.stop()
    second.stop()


@promise
def a_trust_file_that_holds_nothing_rejects_the_reload():
    w = Witness()
    h = s.start(s.place())
    empty = s.ws.file("empty.pem", "nothing\n")
    line = h.reload(s.written(s.place(trust=empty)))
    assert line["msg"] == "config rejected", line
    assert any("ledger.witness.trust" in li.get("msg", "") and empty in li["msg"] for li in h.lines), h.tail()
    assert ask(h) == 200
    until(lambda: has_all(h), what="the old one, which goes on")
    h.stop()
    w.stop()


main(s.end)
