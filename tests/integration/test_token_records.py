"""Each access token in the ledger: when it was got, what came of it, and which ones nobody has taken back, though Holdfast be killed."""

import contextlib
import ctypes
import json
import os
import re
import signal
import threading

from control import holdfast
from holdfast import ADDRESSES, PROXY_UID, Skip, at_end, main, own_network, promise, rows
from ops import Page
from patience import until

own_network(ADDRESSES)

import oauth_scene  # noqa: E402
from oauth_scene import begin, get, line_of, records, s, says_nothing, stop, verb  # noqa: E402


def place(h):
    return os.path.join(h.run, "ledger")


def report(h):
    """What `audit report` lists of "nightly" as not revoked, in both its ways; `audit verify` finds the ledger whole."""
    done = holdfast("audit", "verify", "--ledger", place(h))
    assert done.returncode == 0, done.stdout + done.stderr
    done = holdfast("audit", "report", "--ledger", place(h), "--grant", "nightly", "--json")
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)[0]["not_revoked"]
    text = holdfast("audit", "report", "--ledger", place(h), "--grant", "nightly").stdout
    told = re.findall(r"^  not revoked: token=(\S+) .*; it (has expired|is good still)$", text, re.M)
    assert told == [(t["token"], "has expired" if t["expired"] else "is good still") for t in listed], (told, listed)
    return listed


def both(h):
    return records(h, "token"), records(h, "token_end")


def kill(h):
    h.kill(signal.SIGKILL)
    assert h.wait_exit() == -signal.SIGKILL


@promise
def a_token_that_a_killed_holdfast_left_behind_is_listed_and_one_that_was_taken_back_is_not():
    h = s.start()
    task = begin(h)
    assert get(h).status == 200
    verb(h, "task_end", id=task)
    left = begin(h)
    assert get(h).status == 200
    until(lambda: len(records(h, "token")) == 2, what="its record")
    kill(h)
    (token,) = report(h)
    assert (token["task"], token["credential"], token["form"], token["expired"]) == (left, "crm", "dpop", False), token
    got, over = both(h)
    assert token["expires_at"] == got[1]["expires_at"] and "outcome" not in token, (token, got)
    assert [r["outcome"] for r in over] == ["revoked"] and (over[0]["token"], over[0]["task"]) == (got[0]["token"], task), over
    written = json.dumps(got + over)
    assert not any(t.value in written for t in s.server.tokens) and len({r["token"] for r in got}) == 2, written


@promise
def after_an_orderly_end_none_is_listed():
    h = s.start(task="standing")
    assert get(h).status == 200
    until(lambda: records(h, "token"), what="its record")
    assert report(h)[0]["token"] == line_of(h, "token minted")["token"], "one that is in use is not revoked yet"
    h.stop()
    got, over = both(h)
    assert report(h) == [] and [r["token"] for r in got] == [r["token"] for r in over], (got, over)


@promise
def a_token_is_recorded_before_anything_leaves_with_it():
    h = s.start(task="standing")
    assert get(h).status == 200
    h.stop()
    seqs = [records(h, "token")[0]["seq"], records(h, "decision")[0]["seq"], records(h, "token_end")[0]["seq"]]
    assert seqs == sorted(seqs), seqs


def refused(connection, request, form):
    del request, form
    connection.reply(400, b"")
    return True


NO_ENDPOINT = 'revocation_endpoint = "https://as.test/revoke"; '


@rows([("refused", refused, "failed:as_refused"), ("nobody-to-ask", None, "none")])
def what_cannot_be_taken_back_is_listed_with_its_outcome(row):
    _, revoke, outcome = row
    h = s.start(source=s.source().replace(NO_ENDPOINT, "") if revoke is None else None)
    s.server.revoke = revoke
    task = begin(h)
    assert get(h).status == 200
    verb(h, "task_end", id=task)
    h.stop()
    (token,) = report(h)
    assert (token["outcome"], token["task"], token["form"]) == (outcome, task, "dpop"), token


@promise
def what_a_server_does_not_hear_of_before_holdfast_goes_is_listed():
    h = s.start(task="standing")
    assert get(h).status == 200
    s.server.revoke = says_nothing
    h.stop()
    (token,) = report(h)
    assert token["outcome"] == "failed:as_timeout", token


@promise
def a_token_that_ended_by_itself_needs_nobody_and_one_that_was_left_behind_is_told_as_expired():
    h = s.start(task="standing")
    s.server.life = 8
    assert get(h).status == 200
    until(lambda: not s.server.tokens[0].is_live and report(h)[0]["expired"], what="its time")
    h.stop()
    assert [r["outcome"] for r in records(h, "token_end")] == ["expired"] and report(h) == []


# ---- what comes late

def held(gate):
    def answer(connection, request, form):
        del connection, request, form
        gate.wait(60)
        return False
    return answer


PLAIN = ', { host = "api.test"; methods = ["GET"]; paths = ["/plain/**"]; upstream_trust = "%s"; }'


@promise
def a_late_token_of_a_task_whose_end_is_not_told_yet_stands_in_its_task_end():
    """A reload orphans what is being asked for; it comes when the task is over, but a request of it still runs on."""
    def config(source=None):
        inside = s.config(source=source, task="standing")
        return lambda h: inside(h).replace('inject = "always";   }', 'inject = "always";   }' + PLAIN % s.ws.ca.file)
    h = s.start(config=config())
    at_server, at_service, found = threading.Event(), threading.Event(), []
    real = s.service._judge
    s.service._judge = lambda request: at_service.wait(60) if request.target.startswith("/plain") else real(request)
    runs = threading.Thread(target=lambda: found.append(get(h, "/plain/x").status))
    runs.start()
    s.service.origin.wait(lambda o: len(o.requests) == 1, 120, "the request that runs on")
    s.server.answer = held(at_server)
    waits = threading.Thread(target=lambda: get(h))
    waits.start()
    s.server.wait_asked()
    assert h.reload(config(s.source('scope = "more";')))["msg"] == "config reloaded"
    waits.join()
    h.kill(signal.SIGTERM)
    h.wait_draining()
    at_server.set()
    s.server.wait(lambda: s.server.tokens and s.server.tokens[0].revoked.is_set(), "the late token's revocation")
    until(lambda: [r["outcome"] for r in records(h, "token_end")] == ["revoked"], what="its record")
    at_service.set()
    runs.join()
    assert found == [200] and h.wait_exit() == 0, h.tail()
    assert [r["revocation"] for r in records(h, "task_end")] == ["revoked"] and records(h, "revocation") == []
    assert report(h) == []


# ---- while it cannot be written

def small_disk(name):
    """The ledger's directory on a file system of 256 KiB."""
    path = os.path.join(s.ws.directory(name), "ledger")
    os.makedirs(path, exist_ok=True)
    if ctypes.CDLL(None, use_errno=True).mount(b"none", path.encode(), b"tmpfs", 0, b"size=256k") != 0:
        raise Skip("nothing can be mounted here: " + os.strerror(ctypes.get_errno()))
    at_end(lambda: ctypes.CDLL(None).umount2(path.encode(), 2))
    os.chmod(path, 0o700)
    os.chown(path, PROXY_UID, PROXY_UID)


def fill(h):
    path = os.path.join(place(h), "somebody-elses")
    with contextlib.suppress(OSError), open(path, "wb", buffering=0) as f:
        while True:
            f.write(b"x" * 512)
    return path


@promise
def a_token_that_a_full_disk_keeps_out_of_the_ledger_is_not_used_and_is_taken_back():
    number = next(oauth_scene.numbers)
    oauth_scene.numbers = iter(range(number, 1000))
    small_disk(f"h{number}")
    h = s.start(task="standing")
    filled = fill(h)
    def has_failed():
        assert get(h, "/elsewhere").status in (403, 503)     # its refusal finds no room
        return Page(h).samples["holdfast_ledger_failed", ()] == 1
    until(has_failed, what="the ledger to fail")
    answer = get(h)
    assert answer.status == 503 and answer.reason == "ledger_failed", (answer.status, answer.reason)
    s.server.wait_revoked()
    until(s.server.tokens[0].revoked.is_set, what="its revocation")
    assert not s.service.origin.requests, "it left all the same"
    os.remove(filled)
    h.wait_line(lambda li: "is written again" in li.get("msg", ""), what="the ledger written again")
    until(lambda: get(h).status == 200, what="a token that is recorded")
    stop(h)
    assert all(t.revoked.is_set() for t in s.server.tokens) and report(h) == []


if __name__ == "__main__":
    main(s.end)
