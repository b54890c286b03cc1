"""Tasks of a pod whose uid, or whose claim's, the kubelet shows in a file: refused until it is there, bound to it, over when it
is another's or nobody's."""

import itertools
import os

import jose
from control import ask
from holdfast import (ADDRESSES, Holdfast, Origin, PUBLIC, WORKLOAD_UID, Workspace, forward_config, hosts, main,
                      own_network, promise)
from kubelet import Volume
from ops import DOOR, Page
from ops import ask as probe

own_network(ADDRESSES)

LABEL = "agents.x-k8s.io/claim-uid"
FIRST = "0af5c1d2-7a10-4d5e-9f0e-2b6f9a7a1c11"
SECOND = "7d9c1a52-0f3e-4b1d-8f43-6f2d1f0b9c11"
ws = Workspace()
numbers = itertools.count()


def serve(connection, request):
    """…/endless begins an answer and does not end it."""
    connection.read_body(request)
    if request.target.endswith("/endless"):
        connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nfirst")
        connection.read()
    else:
        connection.reply(200, "ok\n")


origin = Origin(PUBLIC, 443, ws.leaf("allowed.test"), answer=serve)


def labels(claim=None, **more):
    """As the kubelet writes metadata.labels: sorted, without an end of the last line."""
    all_labels = {"app": "agent", **more, **({LABEL: claim} if claim is not None else {})}
    return "\n".join(f'{name}="{value}"' for name, value in sorted(all_labels.items()))


class Pod:
    """A sidecar beside a volume that the kubelet fills. what: of the file, what `workload` says of it."""

    def __init__(self, what, content=None):
        self.name = f"pod{next(numbers)}"
        self.volume = Volume(ws.directory(self.name + "-info", owner=0))
        self.file = "labels" if what == "claim" else "uid"
        self.show(content)
        self.what = what
        self.h = Holdfast(ws, self.config(), name=self.name)

    def show(self, content):
        self.volume.put({} if content is None else {self.file: content})

    def config(self, paths='"any"'):
        path = os.path.join(self.volume.path, self.file)
        says = f'claim_file = "{path}"; claim_label = "{LABEL}";' if self.what == "claim" else f'pod_file = "{path}";'
        grants = f"""
  {{ name = "agents"; owner = "tests@example"; approved_by = "security@example"; ticket = "SEC-1";
    approved_at = "2026-11-01"; expires_at = "2099-01-01";
    purposes = ["testing"]; task = "pod"; ttl = "15m"; caller = {{ uid = {WORKLOAD_UID}; }};
    rules = ( {{ host = "allowed.test"; methods = "any"; paths = {paths}; upstream_trust = "{ws.ca.file}";
                 credential = "orders"; bind = ["wimse"]; inject = "always"; }} ); }}"""
        inside = forward_config("", grants=grants, names=hosts(allowed_test=PUBLIC), doors=DOOR)
        return lambda h: (inside(h).replace("workload = {", f"workload = {{ {says}", 1)
                          + f'control = {{ socket = "{h.run}/control.sock"; }};\n')

    def task(self):
        """The id of the task that lives; None: there is none."""
        tasks = ask(self.h.run + "/control.sock", "task_list")["tasks"]
        assert len(tasks) <= 1, tasks
        return tasks[0]["id"] if tasks else None

    def changes(self, content, since=None):
        """Shown; until everybody knows: what is there was read, and told to the workers in the order it came."""
        since = self.h.index() if since is None else since
        self.show(content)
        return since

    def begun(self, uid, since):
        return self.h.wait_line(lambda li: li.get("msg") == "task started" and li["task"] == uid, since, what=f"the task of {uid}")

    def ended(self, uid, since):
        line = self.h.wait_line(lambda li: li.get("msg") == "task ended" and li["task"] == uid, since, what=f"the end of {uid}")
        assert line["cause"] == "unclaimed", line
        return line

    def refused(self):
        seen = len(origin.requests)
        answer = self.h.get("/x")
        assert (answer.status, answer.reason) == (403, "claim_missing"), (answer.line, answer.body)
        assert len(origin.requests) == seen

    def allowed(self, uid):
        """And what leaves says whose it is."""
        assert self.h.get("/x").status == 200
        said = jose.parts(origin.requests[-1].get("workload-identity-token"))[1][jose.CONTEXT]
        assert (said["task"], said["pod"], said["grant"]) == (uid, uid, "agents"), said


@promise
def a_pod_of_a_pool_is_ready_and_refuses_until_somebody_claims_it():
    pod = Pod("claim", labels())
    assert probe(pod.h, "/readyz")[0] == 200
    pod.refused()
    assert pod.task() is None
    assert pod.h.wait_line(lambda li: "nobody has claimed this pod" in li.get("msg", ""), what="why")["level"] == "info"
    since = pod.changes(labels(FIRST))
    pod.begun(FIRST, since)
    pod.allowed(FIRST)
    assert pod.task() == FIRST
    pod.changes(labels(FIRST, zone="b"))                # another label is no news
    pod.allowed(FIRST)
    since = pod.changes(labels(SECOND, zone="b"))
    pod.begun(SECOND, since)
    pod.h.stop()
    assert [(li["msg"], li["task"]) for li in pod.h.lines if li["msg"].startswith("task ")] == [
        ("task started", FIRST), ("task ended", FIRST), ("task started", SECOND), ("task ended", SECOND)]


@promise
def another_claim_cuts_what_runs_and_takes_nothing_over():
    pod = Pod("claim", labels(FIRST))
    pod.begun(FIRST, 0)
    running = pod.h.tls()
    running.send("GET /endless HTTP/1.1\r\nHost: allowed.test\r\n\r\n")
    assert running.read_head().status == 200
    since = pod.changes(labels(SECOND))
    assert pod.ended(FIRST, since)["cut"] == 1
    pod.begun(SECOND, since)
    while running.receive():                            # it was cut
        pass
    pod.allowed(SECOND)
    pod.h.stop()


@promise
def a_claim_that_goes_takes_the_task_with_it():
    pod = Pod("claim", labels(FIRST))
    pod.allowed(FIRST)
    for content in (labels(), None, labels("two words"), labels(FIRST) + "\n" + labels(SECOND), "\0" * 4096):
        since = pod.changes(content)
        pod.ended(FIRST, since)
        pod.refused()
        since = pod.changes(labels(FIRST))
        pod.begun(FIRST, since)
        pod.allowed(FIRST)
    pod.h.stop()


@promise
def a_pods_own_uid_is_read_from_its_file():
    pod = Pod("uid", FIRST)
    pod.allowed(FIRST)
    since = pod.changes(None)
    pod.ended(FIRST, since)
    line = pod.h.wait_line(lambda li: li.get("reason") == "claim_missing" and "podinfo" not in li["msg"], since, what="why")
    assert "No such file" in line["msg"], line
    pod.refused()
    since = pod.changes(SECOND + "\n")
    pod.begun(SECOND, since)
    pod.allowed(SECOND)
    pod.h.stop()


@promise
def a_file_that_the_workload_could_have_written_names_nobody():
    pod = Pod("uid")
    pod.refused()
    since = pod.h.index()
    pod.volume.put({"uid": FIRST}, mode=0o666)
    line = pod.h.wait_line(lambda li: li.get("reason") == "claim_missing" and "lets group or others write" in li["msg"], since, what="why")
    assert line["level"] == "error", line
    pod.refused()
    since = pod.changes(FIRST)
    pod.begun(FIRST, since)
    pod.allowed(FIRST)
    pod.h.stop()


@promise
def a_reload_leaves_the_claims_task_alone():
    pod = Pod("claim", labels(FIRST))
    pod.begun(FIRST, 0)
    since = pod.h.index()
    assert pod.h.reload(pod.config())["msg"] == "config reloaded"
    pod.allowed(FIRST)
    assert pod.h.reload(pod.config(paths='["/x", "/y"]'))["msg"] == "config reloaded"      # narrower: another task, of the same claim
    line = pod.h.wait_line(lambda li: li.get("msg") == "task ended", since, what="the end of the wider task")
    assert (line["task"], line["cause"]) == (FIRST, "withdrawn"), line
    pod.allowed(FIRST)
    assert pod.h.get("/z").reason == "path_not_allowed"
    assert pod.h.reload(lambda h: pod.config()(h).replace(LABEL, "another/label"))["msg"] == "config reloaded"
    pod.refused()
    pod.h.stop()


@promise
def what_is_refused_for_want_of_a_claim_is_counted_and_recorded():
    pod = Pod("claim", labels())
    pod.refused()
    pod.h.mark()
    assert sum(v for (name, told), v in Page(pod.h).samples.items()
               if name == "holdfast_requests_total" and ("reason", "claim_missing") in told) == 1
    pod.h.stop()
    records = ""
    for name in sorted(os.listdir(pod.h.run + "/ledger")):
        if name.endswith(".jsonl"):
            with open(f"{pod.h.run}/ledger/{name}", encoding="ascii") as f:
                records += f.read()
    assert '"claim_missing"' in records


main()
