"""How long TLS passes unopened: until its task ends, its rule goes, nothing moves, or Holdfast stops; and that it counts as one
request of its task."""

import signal
import struct
import threading

from control import ask
from holdfast import Holdfast, main, promise
from opaque_scene import ACCESS_DENIED, READ, Raw, alert, config, end, grant, hello, line_of, raw, rule, tunnel, ws

HELLO = hello(b"raw.test")
REQUIRED = grant(rule("raw.test"), name="nightly").replace('task = "standing"', 'task = "required"')


def sidecar(name, grants=grant(rule("raw.test")), **more):
    return Holdfast(ws, lambda at: config(at, grants=grants, **more), name=name)


def opened(of):
    """A connection whose hello has arrived: the client's end of it, and the service's."""
    raw.then = Raw.echo
    nth = len(raw.came)
    c = tunnel(of=of)
    c.send(HELLO)
    raw.visit(nth).wait(len(HELLO))
    assert c.receive(len(HELLO))
    return c, raw.visit(nth)


def is_cut(c):
    """By a reset: nobody takes it for the end of what was said."""
    try:
        c.sock.recv(1)
    except ConnectionResetError:
        return True
    return False


def begin(of, **terms):
    told = ask(of.run + "/control.sock", "task_start", grant="nightly", **terms)
    assert told["ok"], told
    return told["id"]


# ---- tasks

tasked = sidecar("tasked", REQUIRED)


@promise
def without_a_task_nothing_passes():
    mark, before = tasked.quiet_mark(), len(raw.came)
    with tunnel(of=tasked) as c:
        c.send(HELLO)
        assert alert(c) == ACCESS_DENIED
    line_of(mark, "task_required", tasked)
    assert len(raw.came) == before


@promise
def the_end_of_its_task_cuts_it_on_both_sides():
    task = begin(tasked)
    mark = tasked.quiet_mark()
    c, visit = opened(tasked)
    with c:
        ended = ask(tasked.run + "/control.sock", "task_end", id=task)
        assert ended["ok"] and ended["cut"] == 1, ended
        assert is_cut(c)
        visit.wait_over()
    line = line_of(mark, "task_ended", tasked)
    assert line["opaque"] is True and line["in"] == len(HELLO) and line["task"] == task, line


@promise
def one_that_lies_still_is_cut_with_its_task_as_well():
    """Its client has said its end, and waits for the service's, which never comes."""
    task, mark = begin(tasked), tasked.quiet_mark()
    gone = threading.Event()

    def then(visit):
        Raw.keep_all(visit)
        gone.wait(120)
    raw.then = then
    nth = len(raw.came)
    with tunnel(of=tasked) as c:
        c.send(HELLO)
        c.sock.shutdown(1)
        raw.visit(nth).wait(len(HELLO))
        raw.wait(lambda _: raw.came[nth].has_ended, "the client's end")
        assert ask(tasked.run + "/control.sock", "task_end", id=task)["cut"] == 1
        assert is_cut(c)
    gone.set()
    line_of(mark, "task_ended", tasked)


@promise
def a_connection_is_one_request_of_its_tasks_budget():
    task = begin(tasked, max_requests=2)
    first, visit = opened(tasked)
    second, _ = opened(tasked)
    mark = tasked.mark()
    with first, second:
        with tunnel(of=tasked) as third:
            third.send(HELLO)
            assert alert(third) == ACCESS_DENIED
        line_of(mark, "task_budget", tasked)
        first.send(b"goes on")
        assert first.receive(7) == b"goes on" and visit.wait(len(HELLO) + 7)
    tasked.wait_line(lambda li: li.get("msg") == "task ended" and li["task"] == task, what="the task's end")


@promise
def a_hello_that_is_half_there_when_its_task_ends_goes_nowhere():
    task, mark, before = begin(tasked), tasked.quiet_mark(), len(raw.came)
    with tunnel(of=tasked) as c:
        c.send(HELLO[:20])
        assert ask(tasked.run + "/control.sock", "task_end", id=task)["ok"]
        c.send(HELLO[20:])
        assert alert(c) == ACCESS_DENIED
    line_of(mark, "task_required", tasked)
    assert len(raw.came) == before


@promise
def a_task_that_may_drain_lets_it_run_to_its_end():
    draining = sidecar("draining", REQUIRED.replace('ttl = "15m"', 'ttl = "15m"; drain = "1h"'))
    task, mark = begin(draining), draining.mark()
    c, visit = opened(draining)
    with c:
        ended = []
        asking = threading.Thread(target=lambda: ended.append(ask(draining.run + "/control.sock", "task_end", id=task)))
        asking.start()
        draining.wait_line(lambda li: li.get("msg") == "control" and li["verb"] == "task_end", what="the order")
        c.send(b"still here")
        assert c.receive(10) == b"still here"
    asking.join()
    visit.wait_over()
    line_of(mark, of=draining)
    assert ended[0]["ok"] and ended[0]["cut"] == 0, ended
    draining.stop()


# ---- the rule

@promise
def a_reload_that_takes_the_rule_away_cuts_it_and_opens_what_comes_then():
    changed = sidecar("changed")
    mark = changed.mark()
    c, visit = opened(changed)
    with c:
        told = changed.reload(lambda at: config(at, grants=grant(rule("raw.test", READ))))
        assert told["msg"] == "config reloaded", told
        assert is_cut(c)
        visit.wait_over()
    line_of(mark, "task_ended", changed)
    with tunnel(of=changed) as c:
        c.send(HELLO)
        assert c.receive()[:1] == b"\x16"           # a ServerHello of ours
    changed.stop()


@promise
def a_reload_that_leaves_the_rule_leaves_what_runs():
    kept = sidecar("kept")
    c, _ = opened(kept)
    with c:
        assert kept.reload(lambda at: config(at, grants=grant(rule("raw.test") + ", " + rule("pinned.test"))))["msg"] == "config reloaded"
        c.send(b"and on")
        assert c.receive(6) == b"and on"
    kept.stop()


@promise
def a_host_that_is_both_for_one_caller_keeps_the_old_generation():
    both = sidecar("both")
    told = both.reload(lambda at: config(at, grants=grant(rule("raw.test") + ", " + rule("raw.test", READ))))
    assert told["msg"] == "config rejected", told
    assert any("either passed on unopened or not" in t for t in both.text), both.tail()
    c, _ = opened(both)
    c.close()
    both.stop()


# ---- time

@promise
def one_on_which_nothing_moves_ends_as_idle():
    idle = sidecar("idle", limits='stream_idle = "5s";')
    mark = idle.mark()
    c, visit = opened(idle)
    with c:
        assert is_cut(c)
        visit.wait_over()
    assert line_of(mark, "idle", idle)["ms"] >= 4900
    idle.stop()


@promise
def a_hello_that_never_becomes_whole_is_given_up():
    slow = sidecar("slow", limits='head_timeout = "4s";')
    mark, before = slow.mark(), len(raw.came)
    with tunnel(of=slow) as c:
        c.send(HELLO[:-1])
        assert alert(c) == ACCESS_DENIED
    line_of(mark, "head_timeout", slow)
    assert len(raw.came) == before
    slow.stop()


@promise
def a_client_that_leaves_within_its_hello_asked_nothing():
    left = sidecar("left")
    mark, before = left.mark(), len(raw.came)
    with tunnel(of=left) as c:
        c.send(HELLO[:50])
        c.sock.shutdown(1)
        c.read_to_end()
    line_of(mark, "client_gone", left)
    assert len(raw.came) == before
    left.stop()


# ---- the other ends

@promise
def a_reset_of_either_side_reaches_the_other():
    broken = sidecar("broken")
    mark = broken.mark()
    c, visit = opened(broken)
    with c:
        visit.sock.setsockopt(1, 13, struct.pack("ii", 1, 0))      # SO_LINGER: its close is a reset
        visit.sock.shutdown(0)                                      # its thread reads no more, and closes
        assert is_cut(c)
    line_of(mark, "upstream_closed", broken)
    mark = broken.mark()
    c, visit = opened(broken)
    c.sock.setsockopt(1, 13, struct.pack("ii", 1, 0))
    c.close()
    visit.wait_over()
    line_of(mark, "client_gone", broken)
    broken.stop()


@promise
def term_lets_it_run_for_the_drain_and_no_longer():
    stopped = sidecar("stopped", limits='drain = "2s";')
    c, visit = opened(stopped)
    with c:
        since = stopped.index()
        stopped.kill(signal.SIGTERM)
        stopped.wait_draining(since)
        assert stopped.wait_exit() == 0
        assert is_cut(c)
        visit.wait_over()
    stopped.assert_clean()


def close():
    tasked.stop()
    end()


main(close)
