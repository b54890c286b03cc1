"""What starts, ends, shows and revokes tasks: the verbs of the control socket, and the command's."""

import json
import os
import re
import signal
import socket
import threading

from control import Control, Gone, holdfast
from holdfast import ADDRESSES, OTHER_UID, PROXY_UID, WORKLOAD_UID, Workspace, by_size, main, own_network, promise, rows
from patience import until
from task_scene import Scene

own_network(ADDRESSES)
ws = Workspace()
s = Scene(ws)


# ---- over the socket

@promise
def a_start_tells_all_that_the_task_needs():
    task = s.begin(ttl="10m", max_requests=3)
    assert re.fullmatch(r"t-[\w-]{22}", task["id"]) and task["grant"] == "nightly" and task["purpose"] == "testing", task
    assert 0 < task["left_ms"] <= 600_000 and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", task["deadline"]), task
    assert list(task["handles"]) == ["GITHUB_TOKEN"] and task["handles"]["GITHUB_TOKEN"].startswith("ghp_"), task
    assert s.get(task=task).status == 200
    assert s.context()["task"] == task["id"]
    shown = s.ask("task_show", id=task["id"])
    assert shown["ok"] and {k: shown[k] for k in ("grant", "owner", "approved_by", "purpose", "caller", "allowed", "refused",
                                                  "max_requests", "requests_left")} == {
        "grant": "nightly", "owner": "tests@example", "approved_by": "security@example", "purpose": "testing",
        "caller": f"uid:{WORKLOAD_UID}", "allowed": 1, "refused": 0, "max_requests": 3, "requests_left": 2}, shown
    line = s.h.wait_line(lambda li: li.get("msg") == "request" and li.get("task") == task["id"])
    assert shown["key"] == line["key"], "the thumbprint that is in the log"
    assert "password" not in shown and task["handles"]["GITHUB_TOKEN"] not in json.dumps(shown)
    over = s.ask("task_end", id=task["id"])
    assert over["ok"] and (over["id"], over["cause"], over["allowed"]) == (task["id"], "finished", 1), over
    assert s.get(task=None).reason == "task_required"
    for verb in ("task_show", "task_end"):
        again = s.ask(verb, id=task["id"])
        assert not again["ok"] and again["error"] == "no such task lives", again


@promise
def each_mutation_leaves_a_line():
    since = s.h.mark()
    task = s.begin()
    s.ask("task_end", id=task["id"])
    s.ask("task_revoke", grant="nightly")
    s.ask("task_revoke", all=True)
    s.h.mark()
    told = [li for li in s.h.lines[since:] if li.get("msg") == "control"]
    assert [li["verb"] for li in told] == ["task_start", "task_end", "task_revoke", "task_revoke"], told
    assert all((li["uid"], li["pid"]) == (0, os.getpid()) for li in told), told
    assert told[0]["task"] == told[1]["task"] == task["id"] and told[2]["grant"] == "nightly" and "all" in told[3], told


@promise
def the_ledger_says_who_asked_for_a_task_and_who_ended_it():
    def recorded(task):
        done = s.call("audit", "show", "--json", "--task", task["id"])
        assert done.returncode == 0, done
        return [json.loads(line) for line in done.stdout.splitlines()]

    own_user = ["setpriv", f"--reuid={PROXY_UID}", f"--regid={PROXY_UID}", "--clear-groups"]
    ended, revoked = s.begin(), s.begin()
    assert s.call("task", "end", ended["id"], before=own_user).returncode == 0
    assert s.call("task", "revoke", "--grant", "nightly").returncode == 0
    done = s.call("task", "start", "--json", "--grant", "nightly", "--purpose", "testing", "--ttl", "1s", before=own_user)
    expired = json.loads(done.stdout)
    s.ended(expired["id"])
    with Control(s.socket) as c:
        left = c.ask("task_start", grant="nightly", purpose="testing", lease=True)
    s.ended(left["id"])
    for task, by in ((ended, [0, PROXY_UID]), (revoked, [0, 0]), (expired, [PROXY_UID, None]), (left, [0, None])):
        until(lambda task=task: len(recorded(task)) == 2, "the record of its end")
        assert [(r["kind"], r.get("by")) for r in recorded(task)] == [("task_start", by[0]), ("task_end", by[1])], recorded(task)
    page, = json.loads(s.call("audit", "report", "--json", "--grant", "nightly").stdout)
    told = {t["task"]: t for t in page["tasks"]}[ended["id"]]
    assert (told["started"]["by"], told["ended"]["by"]) == (0, PROXY_UID), told
    assert f"by={PROXY_UID}" in s.call("audit", "show", "--task", ended["id"]).stdout


@promise
def what_a_task_was_refused_is_its_own():
    """Who has proved whose task it is, by its password, is refused as that task."""
    task, since = s.begin(), s.h.mark()
    assert s.get(task=task).status == 200
    assert s.get("/elsewhere", task=task).reason == "path_not_allowed"
    nobodys = s.get("/nowhere")
    assert nobodys.reason == "path_not_allowed", nobodys.line
    over = s.ask("task_end", id=task["id"])
    assert (over["allowed"], over["refused"]) == (1, 1), over
    s.h.wait_line(lambda li: li.get("path") == "/elsewhere" and li.get("task") == task["id"], since, what="its task in the log")
    s.h.wait_line(lambda li: li.get("path") == "/nowhere" and "task" not in li, since, what="a refusal of nobody's")

    def refused():
        done = s.call("audit", "show", "--json", "--denied", "--task", task["id"])
        return [(r["reason"], r["path"], r["grant"]) for r in map(json.loads, done.stdout.splitlines())]
    until(refused, "its record")
    assert refused() == [("path_not_allowed", "/elsewhere", "nightly")], refused()


@promise
def an_end_and_a_revocation_are_told_as_json():
    task = s.begin()
    done = s.call("task", "end", "--json", task["id"])
    told = json.loads(done.stdout)
    assert done.returncode == 0 and (told["id"], told["cause"], told["allowed"]) == (task["id"], "finished", 0), done
    s.begin()
    done = s.call("task", "revoke", "--grant", "nightly", "--json")
    assert done.returncode == 0 and json.loads(done.stdout) == {"ok": True, "ended": 1}, done


@rows([("ttl", {"ttl": "2h"}, "3600 s at most"), ("caller", {"uid": OTHER_UID}, f"uid={WORKLOAD_UID}"),
       ("purpose", {"purpose": "fun"}, "testing, nightly")])
def a_refused_start_says_what_the_grant_allows(row):
    answer = s.ask("task_start", **{"grant": "nightly", "purpose": "testing", **row[1]})
    assert not answer["ok"] and row[2] in answer["error"], answer
    assert s.live() == []


@promise
def a_revocation_ends_the_tasks_of_its_grant_and_says_how_many():
    tasks = [s.begin() for _ in range(5)]
    other = s.begin("others")
    answer = s.ask("task_revoke", grant="nightly")
    assert answer == {"ok": True, "ended": 5}, answer
    assert s.live() == [] and s.live("others") == [other["id"]]
    for task in tasks:
        assert s.ended(task["id"])["cause"] == "revoked"
    answer = s.ask("task_revoke", all=True)
    assert answer["ok"] and answer["ended"] >= 1, answer
    assert s.ask("task_list")["tasks"] == []
    assert s.ask("task_revoke", all=True) == {"ok": True, "ended": 0}


@promise
def a_list_has_every_task_or_a_grants():
    ids = [s.begin()["id"] for _ in range(by_size(100, 2000))]
    other = s.begin("others")
    assert s.live() == ids and s.live("others") == [other["id"]]
    done = s.call("task", "list", "--json", "--grant", "nightly")
    assert done.returncode == 0 and [t["id"] for t in json.loads(done.stdout)["tasks"]] == ids
    assert s.ask("task_list", grant="nobody")["reason"] == "grant_unknown"
    assert s.ask("task_revoke", all=True)["ended"] >= len(ids) + 1


BAD = [("no-grant", {}, "grant_unknown", ""), ("unknown-grant", {"grant": "nobody"}, "grant_unknown", ""),
       ("standing", {"grant": "standing"}, "task_not_started", ""),
       ("purpose", {"grant": "nightly", "purpose": "fun"}, "task_purpose", ""),
       ("no-purpose", {"grant": "nightly"}, "task_purpose", ""),
       ("ttl", {"grant": "nightly", "purpose": "testing", "ttl": "2h"}, "task_terms", ""),
       ("ttl-words", {"grant": "nightly", "purpose": "testing", "ttl": "soon"}, "task_terms", "duration"),
       ("ttl-nought", {"grant": "nightly", "purpose": "testing", "ttl": "0s"}, "task_terms", "duration"),
       ("ttl-huge", {"grant": "nightly", "purpose": "testing", "ttl": "9" * 5000 + "s"}, "task_terms", "duration"),
       ("caller", {"grant": "nightly", "purpose": "testing", "uid": OTHER_UID}, "task_terms", ""),
       ("uid-below", {"grant": "nightly", "purpose": "testing", "uid": -1}, "task_terms", "uid"),
       ("uid-above", {"grant": "nightly", "purpose": "testing", "uid": 1 << 32}, "task_terms", "uid"),
       ("budget-nought", {"grant": "nightly", "purpose": "testing", "max_requests": 0}, "task_terms", "budget"),
       ("budget-below", {"grant": "nightly", "purpose": "testing", "max_requests": -5}, "task_terms", "budget")]


@rows(BAD)
def a_task_that_may_not_be_is_refused_in_a_sentence(row):
    _, members, reason, word = row
    answer = s.ask("task_start", **members)
    assert not answer["ok"] and answer["reason"] == reason and word in answer["error"], answer
    assert s.live() == []


@rows([("number-as-text", b'{"verb":"task_start","grant":"nightly","max_requests":"3"}', "no number"),
       ("beyond-all", b'{"verb":"task_start","grant":"nightly","max_requests":1e300}', "no number"),
       ("text-as-number", b'{"verb":"task_start","grant":7}', "no text"),
       ("lease", b'{"verb":"task_start","grant":"nightly","lease":"yes"}', "neither true nor false"),
       ("misspelt", b'{"verb":"task_start","grant":"nightly","tll":"1m"}', 'takes no "tll"'),
       ("twice", b'{"verb":"task_start","grant":"nightly","grant":"others"}', "not one JSON object"),
       ("nul", b'{"verb":"task_start","grant":"nightly\\u0000"}', "not one JSON object"),
       ("neither", b'{"verb":"task_revoke"}', "either"), ("both", b'{"verb":"task_revoke","all":true,"grant":"nightly"}', "either"),
       ("not-all", b'{"verb":"task_revoke","all":false}', "either"),
       ("unknown", b'{"verb":"task_revoke","grant":"nobody"}', "grant"),
       ("end-nothing", b'{"verb":"task_end"}', "no such task"), ("end-bytes", b'{"verb":"task_end","id":"\xff\xfe"}', "")])
def a_question_that_is_none_is_told_so_and_does_nothing(row):
    lived = s.begin()
    with Control(s.socket) as c:
        c.send(row[1] + b"\n")
        answer = c.line()
    assert s.live() == [lived["id"]] and s.ask("task_end", id=lived["id"])["ok"]
    assert answer["ok"] is False and row[2] in answer["error"], answer


@promise
def half_a_question_starts_nothing():
    since = s.h.mark()
    with Control(s.socket) as c:
        c.send(b'{"verb":"task_start","grant":"nightly","purpose":"testing"}')
        c.sock.shutdown(socket.SHUT_WR)
        assert c.is_closed()
    assert s.live() == []
    assert not [li for li in s.h.lines[since:] if li.get("msg") == "control"]


@promise
def one_who_asks_slowly_starts_it_when_the_line_is_whole_and_not_before():
    question = json.dumps({"verb": "task_start", "grant": "nightly", "purpose": "testing"}).encode() + b"\n"
    with Control(s.socket) as c:
        for byte in question[:-1]:
            c.send(bytes([byte]))
        assert s.live() == []
        c.send(question[-1:])
        task = c.line()
    assert task["ok"] and s.live() == [task["id"]]
    s.ask("task_end", id=task["id"])


@promise
def one_who_never_ends_its_line_is_closed_and_starts_nothing():
    with Control(s.socket) as c:
        c.send(b'{"verb":"task_start","grant":"nightly","purpose":"testing","ttl":"')
        assert c.is_closed()
    assert s.live() == []


@rows([("start", "task_start", "purpose"), ("end", "task_end", "id"), ("show", "task_show", "id"), ("list", "task_list", "grant"),
       ("revoke", "task_revoke", "grant")])
def a_huge_question_does_nothing(row):
    """One that still is a line is judged, one that is not is cut off; whoever lives, lives on."""
    lived = s.begin()
    for n in (60_000, 1 << 20):
        with Control(s.socket) as c:
            try:
                c.say(row[1], **{"grant": "nightly", row[2]: "x" * n} if row[1] == "task_start" else {row[2]: "x" * n})
            except OSError:         # it was not read to its end
                pass
            answer = c.line()
            assert answer["ok"] is False and answer["error"], answer
            assert n < 65536 or "too long" in answer["error"] and c.is_closed(), answer
    assert s.live() == [lived["id"]] and s.ask("task_end", id=lived["id"])["ok"]


@rows([("start", ["start", "--grant", "nightly", "--purpose", "testing"]), ("end", ["end", "ID"]), ("show", ["show", "ID"]), ("list", ["list"]),
       ("revoke", ["revoke", "--grant", "nightly"]), ("all", ["revoke", "--all"])])
def no_verb_of_tasks_hears_a_stranger(row):
    """Not by the file's mode alone: one who may open it all the same is told nothing."""
    lived = s.begin()
    words = ["task", *[lived["id"] if w == "ID" else w for w in row[1]], "--socket", s.socket]
    strange = ["setpriv", f"--reuid={OTHER_UID}", f"--regid={OTHER_UID}", "--clear-groups", "--inh-caps=+dac_override",
               "--ambient-caps=+dac_override"]
    since = s.h.mark()
    done = holdfast(*words, before=strange)
    assert done.returncode == 1 and not done.stdout, done
    s.h.wait_line(lambda li: f"uid {OTHER_UID} " in li["msg"] and "is not heard" in li["msg"], since)
    assert s.live() == [lived["id"]] and s.ask("task_end", id=lived["id"])["ok"]


@promise
def several_may_be_started_and_ended_on_one_connection():
    with Control(s.socket) as c:
        for _ in range(2):
            for _ in range(3):
                c.say("task_start", grant="nightly", purpose="testing")
            ids = [c.line()["id"] for _ in range(3)]
            for task in ids:
                c.say("task_end", id=task)
            assert [c.line()["id"] for _ in range(3)] == ids


# ---- whose it is while nobody, or only this connection, knows of it

@promise
def a_task_whose_starter_has_gone_before_the_answer_is_ended():
    since = s.h.mark()
    c = Control(s.socket)
    s.h.kill(signal.SIGSTOP)
    try:
        c.say("task_start", grant="nightly", purpose="testing")
        c.close()
    finally:
        s.h.kill(signal.SIGCONT)
    task = s.told("task_start", since)["task"]
    assert s.ended(task, since)["cause"] == "finished"
    assert s.live() == []


@promise
def a_task_outlives_the_connection_that_has_started_it():
    task = s.begin()
    assert s.get(task=task).status == 200
    assert s.ask("task_end", id=task["id"])["ok"]


@promise
def a_lease_ends_with_its_connection():
    with Control(s.socket) as c:
        task = c.ask("task_start", grant="nightly", purpose="testing", lease=True)
        assert task["ok"] and s.get(task=task).status == 200, task
        refused = c.ask("task_start", grant="nightly", purpose="testing")
        assert not refused["ok"] and "lease" in refused["error"], refused
        assert c.ask("status")["ok"] and s.live() == [task["id"]]
    assert s.ended(task["id"])["cause"] == "finished"
    assert s.get().reason == "task_required"


@promise
def a_lease_is_held_for_longer_than_one_may_take_to_ask():
    with Control(s.socket) as c, Control(s.socket) as idle:
        task = c.ask("task_start", grant="nightly", purpose="testing", lease=True)
        assert idle.is_closed(), "whoever does not ask is closed"
        assert s.live() == [task["id"]] and c.ask("task_end", id=task["id"])["ok"]


@promise
def a_lease_that_was_ended_or_revoked_is_over_and_its_close_ends_nothing_else():
    with Control(s.socket) as c:
        task = c.ask("task_start", grant="nightly", purpose="testing", lease=True)
        assert s.ask("task_revoke", grant="nightly")["ended"] == 1
        other = s.begin()
    assert s.ended(task["id"])["cause"] == "revoked"
    assert s.ask("status")["ok"] and s.live() == [other["id"]]
    s.ask("task_end", id=other["id"])


@promise
def leases_do_not_take_the_place_of_those_who_ask():
    held, ids = [], []
    for _ in range(40):
        held.append(Control(s.socket))
        ids.append(held[-1].ask("task_start", grant="nightly", purpose="testing", lease=True)["id"])
    assert sorted(s.live()) == sorted(ids) and s.ask("status")["ok"]
    for c in held:
        c.close()
    until(lambda: s.live() == [], "the end of all leases")


@promise
def of_a_thousand_at_once_each_is_answered_and_nothing_is_lost():
    """Some are turned away; those that are not are served, and the task that lives is not touched."""
    lease = Control(s.socket)
    task = lease.ask("task_start", grant="nightly", purpose="testing", lease=True)
    before = s.h.descriptors()
    told = {"listed": 0, "full": 0, "other": []}
    lock = threading.Lock()

    def one():
        try:
            with Control(s.socket) as c:
                answer = c.ask("task_list")
        except (OSError, Gone):         # turned away while we were still asking
            answer = {"ok": False, "error": "too many"}
        with lock:
            if answer["ok"] and [t["id"] for t in answer["tasks"] if t["grant"] == "nightly"] == [task["id"]]:
                told["listed"] += 1
            elif not answer["ok"] and "too many" in answer["error"]:
                told["full"] += 1
            else:
                told["other"].append(answer)
    threads = [threading.Thread(target=one) for _ in range(1000)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    until(lambda: s.h.descriptors() <= before, "the end of those who have closed")
    assert told["listed"] > 0 and told["listed"] + told["full"] == 1000 and not told["other"], told
    assert s.get(task=task).status == 200
    lease.close()
    assert s.ended(task["id"])["cause"] == "finished"


# ---- the command

@promise
def the_command_starts_shows_lists_and_ends():
    done = s.call("task", "start", "--grant", "nightly", "--purpose", "nightly", "--ttl", "10m", "--max-requests", "9",
                  "--caller", f"uid={WORKLOAD_UID}")
    assert done.returncode == 0 and not done.stderr, done
    told = dict(re.findall(r"^(\w+) +(.*)$", done.stdout, re.M))
    assert list(told) == ["task", "grant", "purpose", "deadline", "proxy", "handle"], done.stdout
    assert (told["grant"], told["purpose"]) == ("nightly", "nightly") and told["handle"].startswith("GITHUB_TOKEN=ghp_"), told
    task = {"id": told["task"], "password": told["proxy"].partition(":")[2]}
    assert s.get(task=task).status == 200 and s.context()["purpose"] == "nightly"
    done = s.call("task", "list")
    assert [li for li in done.stdout.splitlines() if li.startswith(task["id"] + f" nightly nightly uid:{WORKLOAD_UID}: ")
            and li.endswith(" left, 1 allowed, 0 refused, 8 requests left")], done
    done = s.call("task", "show", task["id"])
    told = dict(re.findall(r"^(\w+(?: by)?) +(.*)$", done.stdout, re.M))
    assert (told["owner"], told["approved by"], told["budget"]) == ("tests@example", "security@example", "8 requests left"), told
    assert json.loads(s.call("task", "show", "--json", task["id"]).stdout)["key"] == told["key"]
    done = s.call("task", "end", task["id"])
    assert done.returncode == 0 and done.stdout == f"{task['id']} finished: 1 allowed, 0 refused, 0 cut\n", done
    done = s.call("task", "end", task["id"])
    assert done.returncode == 1 and done.stderr == "holdfast: no such task lives\n" and not done.stdout, done
    done = s.call("task", "start", "--json", "--grant", "nightly", "--purpose", "testing")
    assert done.returncode == 0 and s.live() == [json.loads(done.stdout)["id"]], done
    done = s.call("task", "revoke", "--grant", "nightly")
    assert done.returncode == 0 and done.stdout == "1 task ended\n", done
    s.begin()
    s.begin("others")
    done = s.call("task", "revoke", "--all")
    assert done.returncode == 0 and done.stdout == "2 tasks ended\n" and s.ask("task_list")["tasks"] == [], done


@rows([("grant", ["--grant", "nobody"]), ("standing", ["--grant", "standing"]), ("purpose", ["--grant", "nightly", "--purpose", "fun"]),
       ("ttl", ["--grant", "nightly", "--purpose", "testing", "--ttl", "2h"]),
       ("caller", ["--grant", "nightly", "--purpose", "testing", "--caller", f"uid={OTHER_UID}"])])
def the_command_fails_with_a_sentence(row):
    done = s.call("task", "start", *row[1])
    assert done.returncode == 1 and done.stderr.startswith("holdfast: ") and not done.stdout, done
    assert len(done.stderr) > 30 and s.live() == [], done


@rows([("no-grant", ["task", "start"]), ("no-id", ["task", "end"]), ("two-ids", ["task", "show", "a", "b"]), ("half", ["task"]),
       ("unknown", ["task", "stop", "a"]), ("caller", ["task", "start", "--grant", "nightly", "--caller", "gid=1"]),
       ("uid", ["task", "start", "--grant", "nightly", "--caller", "uid=x"]),
       ("budget", ["task", "start", "--grant", "nightly", "--max-requests", "0"]),
       ("nothing", ["task", "revoke"]), ("everything", ["task", "revoke", "--all", "--grant", "nightly"]),
       ("elsewhere", ["status", "--ttl", "1m"])])
def misuse_exits_2_and_does_nothing(row):
    done = s.call(*row[1])
    assert done.returncode == 2 and "usage:" in done.stderr and not done.stdout, done
    assert s.live() == []


@promise
def the_workload_starts_no_task():
    since = s.h.mark()
    as_workload = ["setpriv", f"--reuid={WORKLOAD_UID}", f"--regid={WORKLOAD_UID}", "--clear-groups"]
    words = ["task", "start", "--grant", "nightly", "--purpose", "testing", "--socket", s.socket]
    done = holdfast(*words, before=as_workload)
    assert done.returncode == 1 and "not allowed" in done.stderr and not done.stdout, done
    done = holdfast(*words, before=[*as_workload, "--inh-caps=+dac_override", "--ambient-caps=+dac_override"])
    assert done.returncode == 1 and not done.stdout, done
    s.h.wait_line(lambda li: "is not heard" in li["msg"], since)
    assert s.live() == []


# ---- the end

@promise
def leases_do_not_keep_it_from_stopping():
    held = [Control(s.socket) for _ in range(3)]
    for c in held:
        assert c.ask("task_start", grant="nightly", purpose="testing", lease=True)["ok"]
    s.h.stop()
    assert all(c.is_closed() for c in held)


main(ws.remove)
