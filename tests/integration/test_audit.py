"""The ledger's reader against a second one, on ledgers of both writers: the same words of tasks/ledger.h, read twice. Then
a thousand tamperings, each to be found, and called by its name."""

import json
import os
import random
import re
import shutil
import subprocess
import tempfile

from ledger import Broken, Key, Writer, compact, digest, lines_of, name_of, verify
from promise import Skip, at_end, by_size, main, promise, rows

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("HOLDFAST_BINARY", os.path.join(ROOT, "build/test/holdfast"))
RELEASE = os.environ.get("HOLDFAST_RELEASE", os.path.join(ROOT, "build/release/holdfast"))
FILL = os.environ.get("HOLDFAST_LEDGER_FILL", os.path.join(ROOT, "build/test/tests/ledger_fill"))

home = tempfile.mkdtemp(prefix="holdfast-test-")
at_end(lambda: shutil.rmtree(home, ignore_errors=True))
numbers = iter(range(1000000))


def place(name="ledger"):
    return os.path.join(home, f"{name}-{next(numbers)}")


def holdfast(*words, code=0, binary=BINARY):
    done = subprocess.run([binary, "audit", *words], capture_output=True, timeout=300, check=False)
    assert done.returncode == code, (done.returncode, words, done.stdout.decode(), done.stderr.decode())
    return done


def audit(directory, code, *more, binary=BINARY):
    """What `audit verify --json` says."""
    return json.loads(holdfast("verify", "--ledger", directory, "--json", *more, code=code, binary=binary).stdout)


# ---- ledgers to read

GRANT = {"generation": 1, "name": "nightly", "owner": "orders@example", "approved_by": "security@example", "ticket": "SEC-1",
         "approved_at": "2026-11-01T00:00:00Z", "expires_at": "2027-02-01T00:00:00Z", "purposes": ["export"],
         "task": "required", "ttl_s": 900, "rules": 2, "digest": "d" * 43}
CREDENTIAL = {"generation": 1, "name": "orders", "owner": "orders@example", "approved_by": "iam@example", "ticket": "SEC-2",
              "rotate_every_s": 3600, "privileges": "write orders of tenant 7", "source": "authority", "revocation": "none"}


def decide(w, i, **more):
    allowed = {"verdict": "allow", "credential": "orders", "binding": "wimse", "proof": f"p{i}"}
    refused = {"verdict": "refuse", "reason": "path_not_allowed"}
    w.put("decision", **{
        "x": f"1.{i}", "rule": "main.conf:7", "grant": "nightly", "owner": "orders@example", "approved_by": "security@example",
        "task": "t-1", "purpose": "export", "who": "uid 1000", "to": "orders.example:443", "method": "GET" if i % 2 else "POST",
        "path": f"/v1/orders/{i}", **(refused if i % 5 == 3 else allowed), **more})


def segment_of(w, decisions, first=0):
    w.begin()
    w.put("start", version="0.2.0", config="c" * 43, workload="spiffe://prod.example/sa/builder")
    w.put("grant", **GRANT)
    w.put("credential", **CREDENTIAL)
    w.put("generation", generation=1, digest="c" * 43, grants=1, credentials=1)
    w.put("task_start", task="t-1", grant="nightly", owner="orders@example", approved_by="security@example", purpose="export",
          caller="uid 1000", ttl_s=900, by=0)
    for i in range(first, first + decisions):
        decide(w, i)
        if i % 16 == 9:
            w.checkpoint()
    w.put("task_end", task="t-1", grant="nightly", cause="finished", allowed=decisions, refused=0, cut=0, ms=3, revocation="none")


def second_writer(name="ledger"):
    """Five segments; behind the second a torn tail. Returns its directory and the last checkpoint."""
    w = Writer(place(name))
    segment_of(w, 30)
    w.end()
    segment_of(w, 40)
    w.tear(b'{"seq":99,"prev":"half a rec')
    segment_of(w, 25)
    w.put("lost", records=7)
    w.put("stop", why="TERM")
    w.end()
    segment_of(w, 20)
    w.end()
    segment_of(w, 35)
    return w.directory, w.end()


def real_writer(name="real", records=(60, 75, 90), segment=24000):
    """The same by tasks/ledger.c, which made the key too: three starts, a crash, and segments that were full."""
    if not os.path.exists(FILL):
        raise Skip(f"{FILL} is not built")
    directory = place(name)

    def fill(records, how):
        subprocess.run([FILL, directory, str(records), str(segment), how], check=True, timeout=600)

    fill(records[0], "end")
    fill(records[1], "die")
    torn = os.path.join(directory, sorted(n for n in os.listdir(directory) if n.startswith("ledger-"))[-1])
    with open(torn, "ab") as f:
        f.write(b'{"seq":1,"prev":"cut he')
    fill(records[2], "end")
    with open(os.path.join(directory, "checkpoint"), "rb") as f:
        return directory, f.read().rstrip(b"\n")


WRITERS = [("second", second_writer), ("real", real_writer)]


def key_of(directory):
    with open(os.path.join(directory, "key.jwk"), encoding="utf-8") as f:
        return json.load(f)


def kept_file(line):
    path = place("kept")
    with open(path, "wb") as f:
        f.write(line + b"\n")
    return path


def key_file(directory):
    path = place("key")
    shutil.copy(os.path.join(directory, "key.jwk"), path)
    return path


@rows(WRITERS)
def both_readers_find_a_whole_ledger_whole(row):
    directory, kept = row[1]()
    records = verify(directory, key_of(directory), kept, ended=True)
    said = audit(directory, 0, "--key", key_file(directory), "--checkpoint", kept_file(kept))
    segments = [n for n in os.listdir(directory) if n.startswith("ledger-")]
    assert said["whole"] and said["faults"] == 0 and said["report"] == [], said
    assert (said["records"], said["first"], said["last"]) == (len(records), 1, len(records)), said
    assert said["segments"] == len(segments) and said["torn"] == 1 and said["ended"], said
    assert said["covered"] == len(records) - 1, said
    assert said["checkpoints"] == sum(b'"kind":"checkpoint"' in line for _, line in records), said
    assert said["lost"] == sum(json.loads(line).get("records", 0) for _, line in records), said


@rows(WRITERS)
def the_record_shown_is_the_record_written(row):
    directory, _ = row[1]()
    lines = [line for _, line in verify(directory, key_of(directory))]
    assert holdfast("show", "--ledger", directory, "--json").stdout.rstrip(b"\n").split(b"\n") == lines
    denied = holdfast("show", "--ledger", directory, "--json", "--denied").stdout.rstrip(b"\n").split(b"\n")
    assert denied == [line for line in lines if b'"verdict":"refuse"' in line], denied
    assert holdfast("show", "--ledger", directory).stdout.count(b"\n") == len(lines)


@promise
def show_chooses_by_task_grant_and_time():
    directory, _ = second_writer()
    records = [json.loads(line) for _, line in verify(directory, key_of(directory))]

    def shown(*words):
        out = holdfast("show", "--ledger", directory, "--json", *words).stdout
        return [json.loads(line)["seq"] for line in out.splitlines()]

    assert shown("--task", "t-1") == [r["seq"] for r in records if r.get("task") == "t-1"]
    assert shown("--task", "t-2") == [] == shown("--grant", "day")
    assert shown("--grant", "nightly") == [r["seq"] for r in records if "nightly" in (r.get("grant"), r.get("name"))]
    since = records[100]["ts"][:19] + "Z"
    assert shown("--since", since) == [r["seq"] for r in records if r["ts"] >= since[:-1] + ".000Z"]
    assert shown("--since", "2026-11-23") == []
    assert shown("--since", "9999d") == [r["seq"] for r in records]
    holdfast("show", "--ledger", directory, "--since", "yesterday", code=2)


@promise
def a_line_for_the_terminal_carries_no_command_for_it():
    w = Writer(place())
    w.begin()
    decide(w, 1, path="/\x1b[2J\u202e")
    w.end()
    out = holdfast("show", "--ledger", w.directory).stdout
    assert out.count(b"\n") == 4 and b"\x1b" not in out and b"\\u001b" in out and "\u202e".encode() not in out, out


@promise
def the_report_says_on_whose_authority_and_what_came_of_it():
    w = Writer(place())
    segment_of(w, 30)
    decide(w, 40, credential="hub", binding="bearer", unbound_because="GitHub takes bearer tokens only", to="github.example:443",
           method="GET")
    w.put("decision", x="9.1", verdict="refuse", reason="host_not_allowed", who="uid 7", to="elsewhere.example:443", method="GET",
          path="/")
    w.put("alarm", alarm="foreign_handle", task="t-1", credential="orders", grant="nightly", who="uid 7", to="orders.example:443")
    w.put("grant", **{**GRANT, "generation": 2, "approved_by": "another@example", "ticket": "SEC-9"})
    w.end()
    pages = {p["grant"]: p for p in json.loads(holdfast("report", "--ledger", w.directory, "--json").stdout)}
    page = pages["nightly"]
    assert [a["ticket"] for a in page["approvals"]] == ["SEC-1", "SEC-9"], page
    assert page["approvals"][0] == {k: v for k, v in GRANT.items() if k not in ("generation", "name", "rules", "digest")}, page
    refused = sum(i % 5 == 3 for i in range(30))
    assert (page["allowed"], page["refused"]) == (31 - refused, refused), page
    assert page["credentials"] == [
        {"name": "orders", "count": 30 - refused,
         "approvals": [{k: v for k, v in CREDENTIAL.items() if k not in ("generation", "name")}]},
        {"name": "hub", "count": 1, "approvals": []}], page
    assert page["bindings"] == [{"binding": "wimse", "count": 30 - refused},
                                {"binding": "bearer", "unbound_because": "GitHub takes bearer tokens only", "count": 1}], page
    assert {"to": "github.example:443", "method": "GET", "count": 1} in page["reached"], page
    assert page["refusals"] == [{"reason": "path_not_allowed", "count": refused}], page
    assert page["purposes"] == [{"purpose": "export", "count": 31}], page
    task, = page["tasks"]
    assert task["started"]["by"] == 0 and task["started"]["caller"] == "uid 1000" and task["ended"]["cause"] == "finished", task
    assert page["alarms"] == [{"alarm": "foreign_handle", "credential": "orders", "who": "uid 7", "to": "orders.example:443",
                               "count": 1}], page
    assert page["first"] < page["last"]
    assert pages[""]["refusals"] == [{"reason": "host_not_allowed", "count": 1}], pages
    text = holdfast("report", "--ledger", w.directory, "--grant", "nightly").stdout.decode()
    for words in ("grant nightly", "owner=orders@example", "ticket=SEC-9", "credential orders", "privileges=", "cause=finished",
                  "orders.example:443", "path_not_allowed", "GitHub takes", f"{31 - refused} allowed"):
        assert words in text, text
    assert "no grant" not in text and "elsewhere" not in text, text


def token(w, name, task="t-1", expires="2099-01-01T00:00:00.000Z"):
    w.put("token", task=task, grant="nightly", credential="crm", token=name, expires_at=expires, form="dpop")


def token_end(w, name, outcome, task="t-1"):
    w.put("token_end", task=task, grant="nightly", credential="crm", token=name, expires_at="2099-01-01T00:00:00.000Z", outcome=outcome)


@promise
def the_report_lists_the_tokens_that_nobody_has_taken_back():
    w = Writer(place())
    segment_of(w, 2)
    for name in ("revoked", "failed", "none", "expired", "left", "twice", "again"):
        token(w, name)
    token(w, "twice")
    token(w, "again")
    token(w, "left", task="t-2", expires="2026-01-01T00:00:00.000Z")
    for name, outcome in (("revoked", "revoked"), ("failed", "failed:as_timeout"), ("none", "none"), ("expired", "expired"),
                          ("twice", "revoked"), ("again", "expired"), ("lost", "failed:as_refused"), ("lost too", "revoked")):
        token_end(w, name, outcome)
    w.end()
    page, = json.loads(holdfast("report", "--ledger", w.directory, "--json").stdout)
    found = {(t["token"], t["task"], t.get("outcome"), t["expired"]) for t in page["not_revoked"]}
    assert found == {("failed", "t-1", "failed:as_timeout", False), ("none", "t-1", "none", False), ("left", "t-1", None, False),
                     ("again", "t-1", None, False), ("left", "t-2", None, True),
                     ("lost", "t-1", "failed:as_refused", False)}, found
    text = holdfast("report", "--ledger", w.directory).stdout.decode()
    assert text.count("  not revoked: ") == 6 and text.count("; it has expired\n") == 1, text


@promise
def what_cannot_be_read_is_neither_whole_nor_broken():
    directory, kept = second_writer()
    holdfast("verify", "--ledger", os.path.join(home, "nowhere"), code=78)
    holdfast("verify", "--ledger", directory, "--key", os.path.join(home, "no-key"), code=78)
    holdfast("verify", "--ledger", directory, "--checkpoint", kept_file(b"not a checkpoint"), code=78)
    holdfast("verify", "--ledger", directory, "--denied", code=2)
    holdfast("verify", "--ledger", directory, "one-word-more", code=2)
    holdfast("what", code=2)
    empty = os.path.join(home, "empty")
    os.makedirs(empty)
    for verb in ("show", "report"):
        assert b"no ledger is there" in holdfast(verb, "--ledger", empty, code=78).stderr
    done = holdfast("report", "--ledger", directory, "--grant", "nihgtly", code=1)
    assert b'no grant "nihgtly"' in done.stderr and not done.stdout, done
    holdfast("verify", "-c", os.path.join(home, "no.conf"), code=78)
    os.rename(os.path.join(directory, name_of(2)), os.path.join(directory, "away"))
    os.symlink("away", os.path.join(directory, name_of(2)))
    holdfast("verify", "--ledger", directory, code=78)
    holdfast("show", "--ledger", directory, code=78)


@promise
def a_key_and_a_checkpoint_of_another_ledger_are_not_this_ones():
    directory, kept = second_writer()
    other, foreign = second_writer("other")
    said = audit(directory, 1, "--key", key_file(other))
    assert any(OTHER in fault for fault in said["report"]) and said["covered"] == 0, said
    said = audit(directory, 1, "--checkpoint", kept_file(foreign))
    assert said["report"] == ["checkpoint: the checkpoint given: bad signature"], said
    short = Writer(place())
    segment_of(short, 2)
    short.end()
    said = audit(short.directory, 1, "--key", key_file(other), "--checkpoint", kept_file(foreign))
    assert any(OLDER in fault for fault in said["report"]), said
    assert all(fault.startswith(("checkpoint: ", "ledger-00000001.jsonl")) for fault in said["report"]), said


@promise
def a_verdict_says_what_it_was_held_against():
    directory, kept = second_writer()
    given = ["--key", key_file(directory), "--checkpoint", kept_file(kept)]
    for more, said in (([], (False, False)), (given, (True, True)), (given[:2], (True, False))):
        told = audit(directory, 0, *more)
        assert (told["key_given"], told["checkpoint_given"]) == said, told
    assert holdfast("verify", "--ledger", directory).stdout.splitlines()[-1] == b"whole"
    assert holdfast("verify", "--ledger", directory, *given).stdout.splitlines()[-1] == b"whole, and holds the checkpoint given"


@promise
def one_history_or_another_is_told_by_the_checkpoint_kept():
    """A state put back and continued by its own key: each of the two ledgers is whole in itself."""
    key = Key()
    one, two = Writer(place(), key), Writer(place(), key)
    for w in (one, two):
        segment_of(w, 20)
        decide(w, 21, path="/" + w.directory[-1])
        w.put("stop", why="TERM")
    kept = one.end()
    two.end()
    assert audit(two.directory, 0)["whole"]
    said = audit(two.directory, 1, "--checkpoint", kept_file(kept))
    assert all(TIME in fault for fault in said["report"]), said


@rows([("checkpoint", 1, 0), ("end", 2, 0), ("torn", 0, 40)])
def a_ledger_that_was_not_closed_in_order_says_so_in_a_line_of_its_own(row):
    """Cut, or left by a kill: nobody can tell without a checkpoint kept elsewhere. So it is no fault, but for a torn tail."""
    _, lines, cut = row
    directory, kept = second_writer()
    os.unlink(os.path.join(directory, "checkpoint"))
    path = os.path.join(directory, name_of(5))
    with open(path, "rb") as f:
        data = f.read()
    with open(path, "wb") as f:
        f.write(b"".join(data.splitlines(True)[:-lines]) if lines else data[:-cut])
    code = 1 if cut else 0
    out = holdfast("verify", "--ledger", directory, code=code).stdout.decode().splitlines()
    said = audit(directory, code)
    assert not said["ended"] and said["whole"] == (not cut) and len(said["report"]) == 1, said
    assert ("not closed in order" in said["report"][0]) == (not cut), said
    assert out[0] == said["report"][0] and not any(line.endswith(", closed in order") for line in out), out
    said = audit(directory, 1, "--checkpoint", kept_file(kept))
    assert any(OLDER in fault for fault in said["report"]), said


@promise
def a_ledger_that_is_being_written_is_whole_at_every_look():
    if not os.path.exists(FILL):
        raise Skip(f"{FILL} is not built")
    directory = place("live")
    writer, looks = None, 0
    while looks < by_size(5, 20):
        if writer is None or writer.poll() is not None:
            assert writer is None or writer.returncode == 0
            writer = subprocess.Popen([FILL, directory, "20000", "3000000", "end"])
        if os.path.exists(os.path.join(directory, name_of(1))):
            audit(directory, 0)
            looks += 1
    assert writer.wait() == 0
    said = audit(directory, 0)
    assert said["ended"] and said["segments"] > 1, said


# ---- tampering


class Ledger:
    """A copy of a ledger in memory, to be spoilt and written out. A segment that is still what it was is not copied."""

    def __init__(self, directory):
        self.rest = {}
        self.segments = {}
        self.files = {}
        for name in os.listdir(directory):
            with open(os.path.join(directory, name), "rb") as f:
                data = f.read()
            if name.startswith("ledger-"):
                self.segments[int(name[7:15])] = data
                self.files[id(data)] = data, os.path.join(directory, name)
            else:
                self.rest[name] = data

    def copy(self):
        other = object.__new__(Ledger)
        other.rest, other.segments, other.files = dict(self.rest), dict(self.segments), self.files
        return other

    def lines(self, n):
        return self.segments[n].split(b"\n")

    def put(self, n, lines):
        self.segments[n] = b"\n".join(lines)

    def write(self, directory):
        os.makedirs(directory, mode=0o700)
        for name, data in [*self.rest.items(), *((name_of(n), data) for n, data in self.segments.items())]:
            path = os.path.join(directory, name)
            if id(data) in self.files:
                os.link(self.files[id(data)][1], path)
                continue
            with open(path, "wb") as f:
                f.write(data)


def seq_of(line):
    return int(re.match(rb'\{"seq":(\d+)', line).group(1))


CHANGED, MISSING, TWICE, ORDER, TIME = "changed", "missing", "twice", "out of order", "of another time"
INSERTED, UNSEALED, OLDER = "inserted", "nobody sealed", "tail was cut, or an older state"
OTHER, SIGNATURE, WITHIN = "of another ledger", "bad signature", "within another"


def pick_line(rng, ledger, segment=None, first=0):
    """Any whole line from `first` on: its segment and index."""
    n = segment or rng.choice(sorted(ledger.segments))
    return n, rng.randrange(first, len(ledger.lines(n)) - 1)


def flip(rng, ledger, other):
    """One bit of any byte. Told within a line of where it is."""
    n = rng.choice(sorted(ledger.segments))
    return flip_at(rng, ledger, n, rng.randrange(len(ledger.segments[n])))


def flip_closing(rng, ledger, other):
    """… of the two lines that close the whole."""
    n = max(ledger.segments)
    data = ledger.segments[n]
    return flip_at(rng, ledger, n, rng.randrange(len(data) - len(b"".join(data.splitlines(True)[-2:])), len(data)))


def flip_at(rng, ledger, n, at):
    data = bytearray(ledger.segments[n])
    before, was, tail = bytes(data[:at]).count(b"\n"), data[at], data.rindex(b"\n") + 1
    data[at] ^= 1 << rng.randrange(8)
    ledger.segments[n] = bytes(data)
    seal = f"segment {n + 1}: changed, the torn tail before it"
    if at >= tail:
        return (seal,), None
    here = tuple(f"{name_of(n)}:{line}: " for line in (before, before + 1, before + 2))
    if was == 10:
        return here + (seal,), None
    is_signature = b'"kind":"checkpoint","jws"' in bytes(data).split(b"\n")[before]
    return here, None if is_signature else CHANGED


def cut_lines(rng, ledger, other):
    n, i = pick_line(rng, ledger)
    lines = ledger.lines(n)
    k = rng.randint(i + 1, min(i + 6, len(lines) - 1))
    if n == max(ledger.segments) and k >= len(lines) - 2:       # leaves the end as it was: that is the next one
        k = max(i + 1, len(lines) - 3)
    if i >= len(lines) - 3:
        return cut_tail(rng, ledger, other)
    first, last = seq_of(lines[i]), seq_of(lines[k - 1])
    ledger.put(n, lines[:i] + lines[k:])
    wanted = f"record {first}: missing" if first == last else f"records {first} to {last}: missing"
    return (wanted,), None


def cut_tail(rng, ledger, other):
    """Only the checkpoint kept elsewhere can tell."""
    last = max(ledger.segments)
    lines = ledger.lines(last)
    keep = rng.randrange(1, len(lines) - 1)
    ledger.put(last, lines[:keep] + [b""])
    ledger.rest.pop("checkpoint", None)
    return (OLDER,), None


def cut_bytes(rng, ledger, other):
    """A file ends in the middle of a record."""
    n, i = pick_line(rng, ledger)
    lines = ledger.lines(n)
    if n == max(ledger.segments):
        i = min(i, len(lines) - 3)
    kept = lines[i][:rng.randrange(1, len(lines[i]))]
    ledger.put(n, lines[:i] + [kept])
    return (UNSEALED, OLDER, CHANGED), None


def cut_segment(rng, ledger, other):
    n = rng.choice(sorted(ledger.segments))
    del ledger.segments[n]
    if not ledger.segments or n > max(ledger.segments):
        ledger.rest.pop("checkpoint", None)
        return (OLDER,), None
    return (f"segment {n}: missing",), None


def swap_lines(rng, ledger, other):
    n, i = pick_line(rng, ledger)
    m, k = pick_line(rng, ledger)
    if (n, i) == (m, k):
        return swap_lines(rng, ledger, other)
    a, b = ledger.lines(n)[i], ledger.lines(m)[k]
    if n == m:
        lines = ledger.lines(n)
        lines[i], lines[k] = b, a
        ledger.put(n, lines)
    else:
        one, two = ledger.lines(n), ledger.lines(m)
        one[i], two[k] = b, a
        ledger.put(n, one)
        ledger.put(m, two)
    return (ORDER,), None


def move_lines(rng, ledger, other):
    n = rng.choice([n for n in ledger.segments if len(ledger.lines(n)) > 12])
    lines = ledger.lines(n)
    i = rng.randrange(len(lines) - 6)
    k = i + rng.randint(1, 4)
    block, rest = lines[i:k], lines[:i] + lines[k:]
    at = rng.choice([x for x in range(len(rest) - 1) if x != i])
    ledger.put(n, rest[:at] + block + rest[at:])
    return (ORDER,), name_of(n)


def swap_segments(rng, ledger, other):
    n, m = rng.sample(sorted(ledger.segments), 2)
    ledger.segments[n], ledger.segments[m] = ledger.segments[m], ledger.segments[n]
    return (f"segment {n}: out of order, in the place of segment {m}", f"segment {m}: out of order, in the place of segment {n}",
            ), None


def duplicate_lines(rng, ledger, other):
    n, i = pick_line(rng, ledger)
    k = rng.randint(i + 1, min(i + 4, len(ledger.lines(n)) - 1))
    copy = ledger.lines(n)[i:k]
    m, at = pick_line(rng, ledger)
    lines = ledger.lines(m)
    at = rng.randint(0, len(lines) - 1)
    ledger.put(m, lines[:at] + copy + lines[at:])
    return (TWICE,), name_of(m)


def duplicate_segment(rng, ledger, other):
    n = rng.choice(sorted(ledger.segments))
    m = rng.choice([x for x in [*ledger.segments, max(ledger.segments) + 1] if x != n])
    ledger.segments[m] = ledger.segments[n]
    return (f"segment {n}: twice", f"segment {n}: out of order, in the place of segment {m}"), None


def roll_back(rng, ledger, other):
    """The whole directory as it was, its own checkpoint too."""
    last = rng.choice(sorted(ledger.segments))
    lines = ledger.lines(last)
    here = [i for i, line in enumerate(lines) if b'"kind":"checkpoint"' in line]
    if last == max(ledger.segments):
        here = here[:-1]
    at = rng.choice(here or [0])
    ledger.put(last, lines[:at + 1] + [b""])
    for n in [n for n in ledger.segments if n > last]:
        del ledger.segments[n]
    ledger.rest["checkpoint"] = lines[at] + b"\n" if here else b""
    if not here:
        del ledger.rest["checkpoint"]
    return (OLDER,), None


def roll_back_segment(rng, ledger, other):
    """One segment as it was before it was full."""
    n = rng.choice([n for n in ledger.segments if n != max(ledger.segments)])
    lines = ledger.lines(n)
    keep = rng.randrange(1, len(lines) - 1)
    ledger.put(n, lines[:keep] + [lines[-1]])
    first, last = seq_of(lines[keep]), seq_of(lines[-2])
    wanted = f"record {first}: missing" if first == last else f"records {first} to {last}: missing"
    return (wanted,), None


def splice(rng, ledger, other):
    """The beginning of one segment and the end of another, where the numbers do not meet."""
    n, m = rng.sample(sorted(ledger.segments), 2)
    one, two = ledger.lines(n), ledger.lines(m)
    i, k = rng.randrange(2, len(one) - 2), rng.randrange(2, len(two) - 3)
    ledger.put(n, one[:i] + two[k:])
    return (MISSING, TWICE, TIME, ORDER), name_of(n)


def splice_other(rng, ledger, other):
    """The end of a segment of another ledger, with its own key and the same numbers."""
    n = rng.choice(sorted(set(ledger.segments) & set(other.segments)))
    one, two = ledger.lines(n), other.lines(n)
    i = rng.randrange(2, min(len(one), len(two)) - 4)
    ledger.put(n, one[:i] + two[i:])
    return (CHANGED, MISSING, TIME), name_of(n)


def replace_segment(rng, ledger, other):
    n = rng.choice(sorted(set(ledger.segments) & set(other.segments)))
    ledger.segments[n] = other.segments[n]
    return (OTHER,), name_of(n)


def join_segments(rng, ledger, other):
    """Two files made one: the chain itself is whole."""
    n = rng.choice([n for n in ledger.segments if n + 1 in ledger.segments and ledger.segments[n].endswith(b"\n")])
    ledger.segments[n] += ledger.segments.pop(n + 1)
    return (WITHIN,), name_of(n)


def rewrite(rng, ledger, other):
    """A record is changed, and all hashes behind it computed anew: only who holds the key can do more."""
    n, i = pick_line(rng, ledger)
    while b'"kind":"decision"' not in ledger.lines(n)[i]:
        n, i = pick_line(rng, ledger)
    prev = None
    for m in sorted(s for s in ledger.segments if s >= n):
        lines = ledger.lines(m)
        for k in range(i if m == n else 0, len(lines) - 1):
            if prev is None:
                lines[k] = lines[k].replace(b"orders", b"0rders", 1)
            else:
                lines[k] = re.sub(rb'"prev":"[^"]{43}"', b'"prev":"' + prev + b'"', lines[k], count=1)
            prev = digest(lines[k]).encode()
        ledger.put(m, lines)
    return ("this checkpoint was signed for others",), None


def forge(rng, ledger, other):
    """A record of the forger's making, that follows the one before it."""
    n, i = pick_line(rng, ledger)
    lines = ledger.lines(n)
    line = lines[i]
    forged = compact({"seq": seq_of(line) + 1, "prev": digest(line), "ts": "2026-11-22T01:02:03.004Z", "kind": "decision",
                      "verdict": "allow"}).encode()
    ledger.put(n, lines[:i + 1] + [forged] + lines[i + 1:])
    return (INSERTED, CHANGED, TIME, TWICE, ORDER), None


CAMPAIGN = [flip, flip, flip, flip, flip_closing, flip_closing, cut_lines, cut_lines, cut_tail, cut_bytes, cut_segment, swap_lines, swap_lines, move_lines,
            swap_segments, duplicate_lines, duplicate_lines, duplicate_segment, roll_back, roll_back_segment, splice, splice,
            splice_other, replace_segment, join_segments, rewrite, forge]


def tamper(seed, whole, other, keep, binary=BINARY):
    rng = random.Random(seed)
    ledger = whole.copy()
    how = CAMPAIGN[seed % len(CAMPAIGN)]
    names, also = how(rng, ledger, other)
    directory = place(how.__name__)
    ledger.write(directory)
    said = audit(directory, 1, "--key", keep[1], "--checkpoint", keep[2], binary=binary)
    what = f"seed {seed}, {how.__name__}: wanted {names} {also or ''}\n" + "\n".join(said["report"])
    assert said["faults"] >= 1 and not said["whole"] and said["report"], what
    assert any(name in fault for fault in said["report"] for name in names), what
    assert also is None or any(also in fault for fault in said["report"]), what
    return directory, what


@rows(WRITERS)
def every_tampering_is_found_and_named(row):
    directory, kept = row[1]()
    other, _ = row[1]("other")
    keep = key_of(directory), key_file(directory), kept_file(kept)
    whole, second = Ledger(directory), Ledger(other)
    for seed in range(by_size(50, 500, 5000)):
        spoilt, what = tamper(seed, whole, second, keep)
        try:
            verify(spoilt, keep[0], kept, ended=True)
        except (Broken, ValueError, KeyError, AttributeError):
            pass
        else:
            raise AssertionError("the second reader found nothing: " + what)
        shutil.rmtree(spoilt)


@promise
def of_a_thousand_tamperings_of_a_million_records_each_is_found_and_named():
    """Of so many at soak size: by the binary we ship, since reading half a gigabyte a thousand times takes its time."""
    records, segment, tamperings = by_size((2000, 100000, 27), (10000, 400000, 54), (1000000, 32 << 20, 1000))
    binary = RELEASE if os.path.exists(RELEASE) else BINARY
    directory, kept = real_writer("million", (records * 4 // 10, records * 3 // 10, records * 3 // 10), segment)
    other, _ = real_writer("other", (records // 10,) * 3, segment)
    keep = key_of(directory), key_file(directory), kept_file(kept)
    said = audit(directory, 0, "--key", keep[1], "--checkpoint", keep[2], binary=binary)
    assert said["whole"] and said["records"] > records and said["segments"] > 5, said
    whole, second = Ledger(directory), Ledger(other)
    for seed in range(tamperings):
        spoilt, _ = tamper(seed, whole, second, keep, binary)
        shutil.rmtree(spoilt)
    assert audit(directory, 0, "--key", keep[1], "--checkpoint", keep[2], binary=binary) == said, "the original was spoilt"


main()
