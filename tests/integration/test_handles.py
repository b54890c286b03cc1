"""Bearer secrets behind handles, by three witnesses: the service gets the real secret, the workload never does, and what the
workload holds instead opens nothing in anybody else's hands or anywhere else. And secrets are rotated while requests run."""

import base64
import os
import secrets as random
import shutil
import threading

from client import bearer
from holdfast import (ADDRESSES, OTHER_UID, PROXY_UID, PUBLIC, Holdfast, Origin, Sidecar, Skip, Trap, WORKLOAD_UID, by_size, curl,
                      forward_config, grant, hosts, main, own_network, promise, rows, run_as)
from mapped import mapped
from patience import until

own_network(ADDRESSES)

PORT = 8443
KEEP = "hf_kept_for_the_environment_of_a_pod"


def real(name):
    """A secret that nothing else in this file looks like; all of them are looked for at the end."""
    made = f"REAL-{name}-{random.token_hex(16)}"
    REAL.append(made)
    return made


REAL = []
ANSWERS = []        # every byte that a service's answer, or a refusal, brought the workload


def quietly(connection, request):
    """A service that does not repeat what it was told."""
    connection.read_body(request)
    connection.reply(200, b"served", [("Content-Type", "text/plain")])


def credential(name, path, more=""):
    return f"""
  {name} = {{ owner = "platform@example"; approved_by = "iam@example"; ticket = "SEC-102"; rotate_every = "30d";
    privileges = "read"; source = {{ kind = "file"; path = "{path}"; }}; {more} }};"""


def because(bind):
    return f'bind = ["{bind}"]; unbound_because = "the service takes nothing else";'


class Scene(Sidecar):
    """github: a bearer token, presented on its handle; crm: a key in a field of its own, presented always; board: a Secret
    volume of links, presented on its handle as `token KEY`; pod: with a handle the operator fixed."""

    def __init__(self):
        self.folder = None
        super().__init__(answer=quietly)

    def path(self, name):
        return os.path.join(self.folder, name)

    def put(self, name, secret, mode=0o440):
        """Whole: written beside its place, then renamed."""
        beside = self.path(name + ".new")
        if os.path.exists(beside):
            os.remove(beside)
        self.write(beside, secret, mode)
        os.rename(beside, self.path(name))

    @staticmethod
    def write(path, secret, mode=0o440):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="latin-1") as f:
            f.write(secret)
        os.chown(path, 0, PROXY_UID)
        os.chmod(path, mode)

    def swap_volume(self, number, secret):
        """As kubelet does it: a new folder, a new link, renamed over the old one, and the old folder goes."""
        volume = self.path("volume")
        old = os.path.realpath(os.path.join(volume, "..data"))
        fresh = os.path.join(volume, f"..{number}")
        os.mkdir(fresh)
        self.write(os.path.join(fresh, "token"), secret)
        os.symlink(f"..{number}", os.path.join(volume, "..data_tmp"))
        os.rename(os.path.join(volume, "..data_tmp"), os.path.join(volume, "..data"))
        if os.path.basename(old) not in ("..data", f"..{number}"):
            shutil.rmtree(old)

    def prepare(self, ws):
        self.folder = ws.directory("secrets", owner=0)
        self.github, self.crm, self.board, self.pod = (real(n) for n in ("github", "crm", "board", "pod"))
        self.put("github", self.github + "\n")
        self.put("crm", self.crm)
        self.put("pod", self.pod + "\r\n")
        os.mkdir(self.path("volume"))
        os.symlink("..data/token", self.path("volume/token"))
        self.swap_volume(1, self.board + "\n")

    def credentials(self, without=(), more=""):
        all_of_them = {
            "github": credential("github", self.path("github"), 'handle = { shape = "ghp_{36}"; env = "GITHUB_TOKEN"; };'),
            "crm": credential("crm", self.path("crm"), 'header = "X-Plain-Key";'),
            "board": credential("board", self.path("volume/token"), 'header = "X-Board"; prefix = "token ";'),
            "pod": credential("pod", self.path("pod"), f'handle = {{ value = "{KEEP}"; }};'),
        }
        orders = """
  orders = { owner = "orders-team@example"; approved_by = "iam@example"; ticket = "SEC-101"; rotate_every = "1h";
    privileges = "write orders"; source = { kind = "authority"; }; };"""
        kept = "".join(text for name, text in all_of_them.items() if name not in without)
        return "credentials = {" + kept + orders + more + "\n};"

    def rules(self, without=()):
        table = {
            "github": 'credential = "github"; ' + because("bearer"),
            "crm": 'credential = "crm"; inject = "always"; ' + because("header"),
            "board": 'credential = "board"; ' + because("header"),
            "pod": 'credential = "pod"; ' + because("bearer"),
            "orders": 'credential = "orders"; inject = "always"; bind = ["wimse"];',
            "nothing": "",
        }
        told = [self.rule(paths=f'["/{name}/**"]', more=more) for name, more in table.items() if name not in without]
        told.append(f'{{ host = "elsewhere.test"; port = {PORT}; methods = "any"; paths = "any"; {self.trust} }}')
        told.append('{ host = "plain.test"; scheme = "http"; methods = "any"; paths = "any"; }')
        return ", ".join(told)

    def rule(self, *more, **named):
        if self.folder is None:         # the first time it is asked, there is a workspace at last
            self.prepare(self.ws)
        return super().rule(*more, **named)

    def text(self, without=(), more_credentials="", more_rules=""):
        other = grant(self.rule(paths='["/github/**"]', more='credential = "github"; ' + because("bearer")), name="others",
                      caller=f"{{ uid = {OTHER_UID}; }}")
        grants = grant(self.rules(without) + more_rules) + ("" if "github" in without else "," + other)
        names = hosts(allowed_test=PUBLIC, elsewhere_test=PUBLIC, plain_test=PUBLIC)
        return forward_config("", grants=grants, names=names, credentials=self.credentials(without, more_credentials))

    def handle(self, variable="GITHUB_TOKEN", file="handles.env"):
        return self.handles(file)[variable]

    def handles(self, file="handles.env"):
        with open(os.path.join(self.h.publish, file), encoding="ascii") as f:
            return dict(line.rstrip("\n").split("=", 1) for line in f)


s = Scene()
GOOD = s.text()
assert s.h.reload(GOOD)["msg"] == "config reloaded", s.h.tail()
elsewhere = Origin(PUBLIC, PORT, s.ws.leaf("elsewhere.test"), answer=quietly)
plain = Origin(PUBLIC, 80, answer=quietly)


def get(path, fields=(), **more):
    answer = s.h.get(path, fields=fields, **more)
    ANSWERS.append(answer.body + repr(answer.fields).encode())
    return answer


def alarms(since):
    return [li for li in s.h.lines[since:s.h.mark()] if li.get("msg") == "alarm"]


def crm_is_used():
    return get("/crm/x").status == 200 and s.origin.requests[-1].get("x-plain-key") == s.crm


def asked(path, fields=(), **more):
    """(the answer, what the service saw, the log's line); neither of the latter where there is none."""
    mark = s.mark()
    answer = get(path, fields, **more)
    line = s.h.wait_requests(1, mark[0])[0]
    seen = s.origin.requests[mark[1]:]
    return answer, seen[0] if seen else None, line


# ---- who gets what

@promise
def the_service_gets_the_secret_in_the_handles_place():
    since = s.h.mark()
    answer, seen, line = asked("/github/x", bearer(s.handle()))
    assert answer.status == 200 and answer.body == b"served"
    assert seen.all("authorization") == [f"Bearer {s.github}"], seen.fields
    assert (line["binding"], line["reason"], line["grant"]) == ("bearer", "ok", "tests"), line
    assert "proof" not in line and "key" not in line and line["stripped"] == ["authorization"], line
    assert not alarms(since)


@promise
def the_handle_has_the_shape_of_the_real_thing_and_is_published_for_its_caller_alone():
    own, others = s.handle(), s.handle(file=f"handles.uid-{OTHER_UID}.env")
    assert own.startswith("ghp_") and len(own) == 40 and others.startswith("ghp_") and own != others
    assert set(s.handles()) == {"GITHUB_TOKEN", "HOLDFAST_CRM", "HOLDFAST_BOARD", "HOLDFAST_POD"}
    assert s.handles()["HOLDFAST_POD"] == KEEP
    answer, seen, _ = asked("/github/x", bearer(others), uid=OTHER_UID)
    assert answer.status == 200 and seen.get("authorization") == f"Bearer {s.github}"


@promise
def header_puts_it_in_its_own_field_behind_its_prefix():
    answer, seen, line = asked("/board/x", [("X-Board", s.handle("HOLDFAST_BOARD"))])
    assert answer.status == 200 and seen.all("x-board") == [f"token {s.board}"], seen.fields
    assert line["binding"] == "header"


@promise
def always_presents_without_a_handle():
    answer, seen, line = asked("/crm/x", [("X-Plain-Key", "theirs")])
    assert answer.status == 200 and seen.all("x-plain-key") == [s.crm], seen.fields
    assert line["binding"] == "header" and line["stripped"] == ["x-plain-key"], line


@promise
def a_handle_fixed_by_the_operator_is_a_handle():
    answer, seen, _ = asked("/pod/x", bearer(KEEP))
    assert answer.status == 200 and seen.get("authorization") == f"Bearer {s.pod}"


@promise
def without_a_handle_a_request_goes_stripped_and_without_credential():
    answer, seen, line = asked("/github/x")
    assert answer.status == 200 and seen.get("authorization") is None and "binding" not in line, line
    answer, seen, line = asked("/github/x", bearer("ghp_" + "A" * 36))
    assert answer.status == 200 and seen.get("authorization") is None, seen.fields
    assert line["stripped"] == ["authorization"] and "binding" not in line, line


PLACES = [
    ("bearer", lambda h: ([("Authorization", f"Bearer {h}")], "")),
    ("token", lambda h: ([("Authorization", f"token {h}")], "")),
    ("basic-user", lambda h: ([("Authorization", "Basic " + base64.b64encode(f"{h}:x".encode()).decode())], "")),
    ("basic-password", lambda h: ([("Authorization", "Basic " + base64.b64encode(f"x:{h}".encode()).decode())], "")),
    ("api-key", lambda h: ([("X-Api-Key", h)], "")),
    ("cookie", lambda h: ([("Cookie", f"a=b; session={h}")], "")),
    ("query", lambda h: ([], f"?access_token={h}")),
    ("escaped-query", lambda h: ([], "?token=" + h.replace("ghp_", "%67hp%5F"))),
]


@rows(PLACES)
def a_handle_is_found_in_every_credential_position(row):
    fields, query = row[1](s.handle())
    answer, seen, line = asked("/github/x" + query, fields)
    assert answer.status == 200 and seen.all("authorization") == [f"Bearer {s.github}"], (seen and seen.head, line)
    assert s.handle().encode() not in seen.head, "the handle left"


@promise
def a_large_upload_is_not_held_back_for_a_secret():
    """A bearer says nothing of the body, so it streams."""
    mark = s.mark()
    with s.h.tls() as c:
        c.send("PUT /crm/x HTTP/1.1\r\nHost: allowed.test\r\nContent-Length: 10\r\n\r\n")
        c.send(b"01234")
        s.origin.wait(lambda o: len(o.requests) > mark[1], what="the head, before the body is whole")
        c.send(b"56789")
        assert c.read_answer("PUT").status == 200
    assert s.origin.requests[-1].body == b"0123456789"


# ---- where it is worthless

@rows(PLACES)
def anothers_handle_is_refused_and_alarmed(row):
    fields, query = row[1](s.handle(file=f"handles.uid-{OTHER_UID}.env"))
    since = s.h.mark()
    answer, seen, line = asked("/github/x" + query, fields)
    assert (answer.status, answer.reason) == (403, "foreign_handle") and seen is None
    assert (line["reason"], line["by"], line["step"]) == ("foreign_handle", "handle", "judge"), line
    (alarm,) = alarms(since)
    assert (alarm["level"], alarm["kind"], alarm["uid"]) == ("warn", "foreign_handle", WORKLOAD_UID), alarm
    assert (alarm["credential"], alarm["to"]) == ("github", "allowed.test:443"), alarm


@promise
def a_copied_handle_is_worthless_to_another_caller_even_where_nothing_is_allowed():
    since = s.h.mark()
    for target in ("allowed.test:443", "denied.test:443"):
        answer = get("/github/x", bearer(s.handle()), uid=OTHER_UID, target=target)
        assert (answer.status, answer.reason) == (403, "foreign_handle"), (target, answer.line)
    assert [a["uid"] for a in alarms(since)] == [OTHER_UID] * 2


@promise
def a_copied_handle_in_a_connect_is_a_tripwire_as_well():
    foreign = base64.b64encode(f"x:{s.handle(file=f'handles.uid-{OTHER_UID}.env')}".encode()).decode()
    own = base64.b64encode(f"x:{s.handle()}".encode()).decode()
    since = s.h.mark()
    channel, answer = s.h.connect(fields=[("Proxy-Authorization", f"Basic {foreign}")])
    channel.close()
    assert (answer.status, answer.reason) == (403, "foreign_handle"), answer.line
    channel, answer = s.h.connect(fields=[("Proxy-Authorization", f"Basic {own}")])
    channel.close()
    assert answer.status == 200, answer.line
    assert [(a["kind"], a["to"]) for a in alarms(since)] == [("foreign_handle", "allowed.test:443")]


@promise
def ones_own_handle_is_refused_where_the_rule_does_not_use_it():
    since = s.h.mark()
    for path, more in (("/crm/x", {}), ("/nothing/x", {}), ("/orders/x", {}),
                       ("/x", {"target": f"elsewhere.test:{PORT}"})):
        answer = get(path, bearer(s.handle()), **more)
        assert (answer.status, answer.reason) == (403, "handle_misplaced"), (path, answer.line)
    assert [(a["kind"], a["credential"]) for a in alarms(since)] == [("handle_misplaced", "github")] * 4
    assert not elsewhere.requests


@promise
def what_no_rule_allows_is_told_as_such_with_ones_own_handle():
    answer = get("/private/x", bearer(s.handle()))
    assert (answer.status, answer.reason) == (403, "path_not_allowed")


@promise
def two_different_handles_are_refused():
    answer, seen, _ = asked("/github/x", [*bearer(s.handle()), ("X-Api-Key", KEEP)])
    assert (answer.status, answer.reason) == (403, "several_handles") and seen is None


@promise
def a_handle_behind_the_body_is_refused_and_alarmed():
    for handle, reason in ((s.handle(), "handle_misplaced"),
                           (s.handle(file=f"handles.uid-{OTHER_UID}.env"), "foreign_handle")):
        since = s.h.mark()
        with s.h.tls() as c:
            c.send("POST /github/x HTTP/1.1\r\nHost: allowed.test\r\nTransfer-Encoding: chunked\r\n\r\n"
                   f"3\r\nabc\r\n0\r\nX-Session-Token: {handle}\r\n\r\n")
            answer = c.read_answer("POST")
            assert (answer.status, answer.reason) == (403, reason), answer.line
        assert [a["kind"] for a in alarms(since)] == [reason]
    assert handle.encode() not in s.origin.raw()


@promise
def plain_http_never_carries_a_secret():
    host, port = s.h.door()
    for target, expected in (("http://plain.test/x", "handle_misplaced"), ("http://allowed.test/github/x", "scheme_not_allowed")):
        with s.h.open() as c:
            name = target.split("/")[2]
            c.send(f"GET {target} HTTP/1.1\r\nHost: {name}\r\nAuthorization: Bearer {s.handle()}\r\n\r\n")
            answer = c.read_answer()
            assert (answer.status, answer.reason) == (403, expected), answer.line
    assert not plain.requests
    with s.h.open() as c:
        c.send("GET http://plain.test/crm/x HTTP/1.1\r\nHost: plain.test\r\nX-Plain-Key: theirs\r\n\r\n")
        assert c.read_answer().status == 200
    assert plain.requests[0].get("x-plain-key") is None and plain.requests[0].get("authorization") is None


# ---- once

@promise
def a_retry_presents_the_secret_once():
    seen, cut, answers = [], [], []

    def stale(connection, request):
        seen.append(request)
        if not cut and len(connection.requests) > 1:
            cut.append(request)
            return True         # a kept connection ends in the middle of an exchange
        return quietly(connection, request)

    def ask(c):
        answers.append(c.request("GET", "/crm/again", "allowed.test").status)
        return cut

    s.origin.answer = stale
    try:
        with s.h.tls() as c:
            until(lambda: ask(c), "a kept connection")
    finally:
        s.origin.answer = quietly
    assert answers == [200] * (len(seen) - 1), "nothing was retried"
    assert [r.all("x-plain-key") for r in seen] == [[s.crm]] * len(seen)


# ---- rotation

class Asking:
    """Threads that ask on kept connections until told to stop; every answer counts."""

    def __init__(self, path, fields, n=2):
        self.stopped, self.wrong, self.count = threading.Event(), [], 0
        self.threads = [threading.Thread(target=self._ask, args=(path, fields), daemon=True) for _ in range(n)]

    def _ask(self, path, fields):
        try:
            with s.h.tls() as c:
                while not self.stopped.is_set():
                    answer = c.request("GET", path, "allowed.test", fields)
                    self.count += 1
                    if answer.status != 200:
                        self.wrong.append((answer.line, answer.body))
        except Exception as e:          # the thread's own failure is the test's
            self.wrong.append(repr(e))

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        for t in self.threads:
            t.join(60)


def rotate(path, fields, field, change, present):
    """Changes the secret again and again while requests run: all of them carry one of the secrets, whole."""
    mark, allowed = len(s.origin.requests), {present()}

    with Asking(path, fields) as asking:
        for _ in range(by_size(4, 20)):
            secret = change()
            allowed.add(present())
            s.origin.wait(lambda o: asking.wrong or any(secret in (r.get(field) or "") for r in o.requests[-20:]), 90,
                          "the new secret")
    assert not asking.wrong, asking.wrong[:3]
    got = {r.get(field) for r in s.origin.requests[mark:]}
    assert got <= allowed, got - allowed
    assert present() in got


@promise
def a_secret_renamed_into_place_is_used_while_requests_run():
    def change():
        s.crm = real("crm")
        s.put("crm", s.crm + "\n")
        return s.crm
    rotate("/crm/x", [], "x-plain-key", change, lambda: s.crm)


@promise
def a_volume_swapped_by_its_link_is_used_while_requests_run():
    numbers = iter(range(2, 1000))

    def change():
        s.board = real("board")
        s.swap_volume(next(numbers), s.board)
        return s.board
    rotate("/board/x", [("X-Board", s.handle("HOLDFAST_BOARD"))], "x-board", change, lambda: f"token {s.board}")


def removed():
    os.remove(s.path("crm"))


def readable_by_all():
    s.put("crm", s.crm, 0o644)


def unreadable():
    s.put("crm", s.crm, 0o000)


def writable_by_group():
    s.put("crm", s.crm, 0o660)


def garbage():
    s.put("crm", "two\nlines\n")


def empty():
    s.put("crm", "\n")


def binary():
    s.put("crm", "s3cr3t\x00\x80")


def too_long():
    s.put("crm", "x" * (16 * 1024 + 1))


def a_directory():
    os.remove(s.path("crm"))
    os.mkdir(s.path("crm"))


def a_broken_link():
    os.remove(s.path("crm"))
    os.symlink("nowhere", s.path("crm"))


BREAKS = [(f.__name__, f) for f in (removed, readable_by_all, unreadable, writable_by_group, garbage, empty, binary, too_long,
                                    a_directory, a_broken_link)]


@rows(BREAKS)
def a_secret_that_cannot_be_used_refuses_and_comes_back_by_itself(row):
    since = s.h.mark()
    row[1]()
    answer = until(lambda: (lambda a: a if a.status != 200 else None)(get("/crm/x")), "the refusal")
    assert (answer.status, answer.reason) == (503, "credential_unavailable"), answer.line
    told = s.h.wait_line(lambda li: li["level"] == "error" and li.get("reason") == "credential_unavailable", since)
    assert "credentials.crm" in told["msg"], told
    assert get("/github/x", bearer(s.handle())).status == 200, "another credential is not touched"
    if os.path.isdir(s.path("crm")):
        os.rmdir(s.path("crm"))
    s.crm = real("crm")
    s.put("crm", s.crm)
    until(crm_is_used, "the secret's return")
    assert not [li for li in s.h.lines[since:] if li.get("msg") == "config reloaded"]


@promise
def a_directory_put_in_anothers_place_is_followed():
    old = s.path("").rstrip("/")
    os.rename(old, old + ".old")
    shutil.copytree(old + ".old", old, symlinks=True)
    os.chmod(old, 0o755)
    for name in ("github", "pod"):
        os.chown(s.path(name), 0, PROXY_UID)
    s.crm = real("crm")
    s.put("crm", s.crm)
    number = 5000
    os.remove(s.path("volume/..data"))
    s.swap_volume(number, s.board)
    shutil.rmtree(old + ".old")
    until(crm_is_used, "the new directory's secret")
    until(lambda: get("/board/x", [("X-Board", s.handle("HOLDFAST_BOARD"))]).status == 200, "the volume in it")


# ---- reload

@promise
def a_reload_keeps_handles_and_one_that_removes_the_credential_ends_them():
    before = s.handles()
    assert s.h.reload(GOOD)["msg"] == "config reloaded"
    assert s.handles() == before
    assert get("/github/x", bearer(before["GITHUB_TOKEN"])).status == 200
    assert s.h.reload(s.text(without=("github",)))["msg"] == "config reloaded"
    assert "GITHUB_TOKEN" not in s.handles() and not os.path.exists(os.path.join(s.h.publish, f"handles.uid-{OTHER_UID}.env"))
    since = s.h.mark()
    answer = get("/crm/x", bearer(before["GITHUB_TOKEN"]))
    assert (answer.status, answer.reason) == (403, "ended_handle"), answer.line
    assert [(a["kind"], a["credential"]) for a in alarms(since)] == [("ended_handle", "github")]
    assert s.h.reload(GOOD)["msg"] == "config reloaded"
    fresh = s.handle()
    assert fresh != before["GITHUB_TOKEN"]
    assert get("/github/x", bearer(fresh)).status == 200
    answer = get("/github/x", bearer(before["GITHUB_TOKEN"]))
    assert (answer.status, answer.reason) == (403, "ended_handle"), answer.line


@promise
def a_reload_with_two_handles_alike_is_rejected_and_changes_nothing():
    before = s.handles()
    twice = credential("twin", s.path("crm"), f'handle = {{ value = "{KEEP}"; }};')
    rule = s.rule(paths='["/twin/**"]', more='credential = "twin"; ' + because("bearer"))
    line = s.h.reload(s.text(more_credentials=twice, more_rules=", " + rule))
    assert line["msg"] == "config rejected", line
    assert s.handles() == before and get("/github/x", bearer(before["GITHUB_TOKEN"])).status == 200


@promise
def handles_that_cannot_be_published_reject_the_reload():
    """A directory stands where a caller's file should."""
    blocked = os.path.join(s.h.publish, "handles.uid-64999.env")
    os.mkdir(blocked)
    another = grant(s.rule(paths='["/github/**"]', more='credential = "github"; ' + because("bearer")), name="blocked",
                    caller="{ uid = 64999; }")
    try:
        text = GOOD(s.h).replace("grants = (", "grants = (" + another + ",", 1)
        line = s.h.reload(lambda h: text)
        assert (line["msg"], line["reason"]) == ("config rejected", "file_unreadable"), line
        assert get("/github/x", bearer(s.handle())).status == 200
    finally:
        os.rmdir(blocked)
    assert s.h.reload(GOOD)["msg"] == "config reloaded"


# ---- what remains of a secret in our own memory

def times_in_memory(pid, secrets):
    """How often each of these stands in what the process has mapped."""
    times = dict.fromkeys(secrets, 0)
    for data in mapped(pid):
        for secret in secrets:
            times[secret] += data.count(secret.encode())
    return times


@promise
def once_its_exchange_is_over_a_secret_stands_in_the_vault_alone_and_a_replaced_one_nowhere():
    for path, fields in (("/github/x", bearer(s.handle())), ("/crm/x", []), ("/pod/x", bearer(KEEP))):
        for _ in range(10):
            assert get(path, fields).status == 200
    now = (s.github, s.crm, s.board, s.pod)
    expected = {secret: 1 if secret in now else 0 for secret in REAL}
    until(lambda: times_in_memory(s.h.pid, REAL) == expected, "every copy to be wiped")


# ---- stock clients, with the handle in the variable they read

CLIENT_ENV = {"no_proxy": ""}


@promise
def curl_works_with_a_handle():
    mark = len(s.origin.requests)
    done = curl(s.h.proxy, s.h.bundle, "-H", f"Authorization: Bearer {s.handle()}", "https://allowed.test/github/curl")
    ANSWERS.append(done.stdout)
    assert done.returncode == 0 and done.stdout == b"served", done.stderr
    done = curl(s.h.proxy, s.h.bundle, "-u", f"me:{s.handle()}", "https://allowed.test/github/curl")
    assert done.returncode == 0 and done.stdout == b"served", done.stderr
    assert [r.all("authorization") for r in s.origin.requests[mark:]] == [[f"Bearer {s.github}"]] * 2


@promise
def python_works_with_a_handle():
    mark = len(s.origin.requests)
    script = """
import os, urllib.request
r = urllib.request.Request("https://allowed.test/github/python", headers={"Authorization": "token " + os.environ["GITHUB_TOKEN"]})
print(urllib.request.urlopen(r).read().decode())
"""
    done = run_as(WORKLOAD_UID, ["/usr/bin/python3", "-c", script],
                  {"https_proxy": s.h.proxy, "SSL_CERT_FILE": s.h.bundle, "GITHUB_TOKEN": s.handle()})
    ANSWERS.append(done.stdout)
    assert done.returncode == 0 and done.stdout.strip() == b"served", done.stderr
    assert s.origin.requests[mark].all("authorization") == [f"Bearer {s.github}"]


NODE = shutil.which("node")
TUNNEL = """
import http from "node:http"; import https from "node:https"; import tls from "node:tls"; import { once } from "node:events";
const [proxy, token] = process.argv.slice(1);
const { hostname, port } = new URL(proxy);
const asked = http.request({ hostname, port, method: "CONNECT", path: "allowed.test:443", headers: { Host: "allowed.test:443" } });
asked.end();
const [, tunnel] = await once(asked, "connect");
const socket = tls.connect({ socket: tunnel, servername: "allowed.test", ALPNProtocols: ["http/1.1"] });
const request = https.request("https://allowed.test/github/node", { defaultPort: 443, createConnection: () => socket,
                                                                    headers: { Authorization: `Bearer ${token}` } });
request.end();
const [answer] = await once(request, "response");
for await (const piece of answer) console.log(piece.toString());
socket.destroy();
"""
FETCH = """
const answer = await fetch("https://allowed.test/github/node", { headers: { authorization: `Bearer ${process.argv[2]}` } });
console.log(await answer.text());
"""


@promise
def node_works_with_a_handle():
    if NODE is None:
        raise Skip("there is no node")
    can = run_as(WORKLOAD_UID, [NODE, "-e", "process.exit(process.allowedNodeEnvironmentFlags.has('--use-env-proxy')?0:1)"])
    mark = len(s.origin.requests)
    done = run_as(WORKLOAD_UID, [NODE, "--input-type=module", "-e", FETCH if can.returncode == 0 else TUNNEL, s.h.proxy,
                                  s.handle()],
                  {"NODE_EXTRA_CA_CERTS": s.h.ca, "NODE_USE_ENV_PROXY": "1", "HTTPS_PROXY": s.h.proxy})
    ANSWERS.append(done.stdout)
    assert done.returncode == 0 and done.stdout.strip() == b"served", done.stderr
    assert s.origin.requests[mark].all("authorization") == [f"Bearer {s.github}"]


# ---- and the workload never had it

LOOK = """
import os, sys
wanted = [w.encode() for w in sys.stdin.read().split()]
found = []
def look(path):
    try:
        with open(path, "rb") as f:
            data = f.read()
        found.extend(path for w in wanted if w in data)
    except OSError:
        pass
for folder in sys.argv[1:]:
    for at, _, names in os.walk(folder):
        for name in names:
            look(os.path.join(at, name))
for pid in os.listdir("/proc"):
    if pid.isdigit():
        for name in ("environ", "cmdline"):
            look(f"/proc/{pid}/{name}")
print(found)
"""


@promise
def the_workload_finds_the_secret_nowhere():
    """Nothing it can read, no answer, no log line, no environment has a byte of it; and this test would notice one."""
    assert len(REAL) > 10
    told = ["", *s.h.text]
    for secret in REAL:
        assert not any(secret in line for line in told), "a secret was logged"
        assert not any(secret.encode() in answer for answer in ANSWERS), "a secret was answered"
        assert secret not in str(s.handles())
    environment = {"GITHUB_TOKEN": s.handle(), **CLIENT_ENV}
    clue = s.ws.file("clue", REAL[0])
    done = run_as(WORKLOAD_UID, ["/usr/bin/python3", "-c", LOOK, s.ws.path], environment, input="\n".join(REAL).encode())
    assert done.returncode == 0 and done.stdout.decode().strip() == str([clue]), (done.stdout, done.stderr)
    os.remove(clue)
    with open(f"/proc/{s.h.pid}/environ", "rb") as f:
        inherited = f.read()
    assert not any(secret.encode() in inherited for secret in REAL)


@promise
def a_start_without_its_secret_serves_the_rest():
    text = GOOD(s.h).replace(s.path("crm"), s.path("not-there"))
    with_others = Holdfast(s.ws, lambda h: text.replace(s.h.run, h.run), name="second")
    answer = with_others.get("/crm/x")
    assert (answer.status, answer.reason) == (503, "credential_unavailable")
    assert with_others.get("/nothing/x").status == 200
    with_others.wait_for("secrets read")
    told = [li["msg"] for li in with_others.lines if s.path("not-there") in li["msg"]]
    assert len(told) == 1 and "credentials.crm: " in told[0], told
    s.put("not-there", s.crm)
    until(lambda: with_others.get("/crm/x").status == 200, "the secret that came after the start")
    with_others.stop()


@promise
def a_second_one_that_cannot_bind_leaves_the_handles_of_the_one_that_runs():
    trap = Trap("127.0.0.1", 15003)
    before = s.handles()
    text = GOOD(s.h).replace("127.0.0.1:0", "127.0.0.1:15003")
    second = Holdfast(s.ws, lambda h: text, name="beside", wait=False)
    assert second.wait_exit(60) == 75, second.tail()
    trap.stop()
    assert s.handles() == before
    assert get("/github/x", bearer(s.handle())).status == 200


main(s.end)
