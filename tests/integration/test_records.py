"""Each decision in the ledger with its own values, whatever came before it on the same connection: another rule, grant, task,
caller, a reload, a renewal. What is constant is written once and copied; the service, the log and the config say what is right."""

import base64
import itertools
import json
import os
import random

import jose
import ledger
from control import ask
from holdfast import (ADDRESSES, CREDENTIAL, Holdfast, OTHER_UID, Origin, PROXY_UID, PUBLIC, Workspace, WORKLOAD_UID, by_size, echo,
                      forward_config, hosts, main, own_network, promise)

own_network(ADDRESSES)
SECRET = "nobody-may-keep-this"
ODD = 'Ö "quoted" \\ team@example'       # has to be escaped
ws = Workspace()
origin = Origin(PUBLIC, 443, ws.leaf("allowed.test"), answer=echo)
numbers = itertools.count()


# ---- the scene: where a rule stands is where its path is written

SIGNED = 'credential = "orders"; bind = ["wimse"]; inject = "always";'
BEARER = 'credential = "github"; bind = ["bearer"]; inject = "always"; unbound_because = "it takes \\"nothing\\" else";'
GRANTS = {
    "alpha": {"owner": ODD, "approved_by": "first@example", "caller": f"{{ uid = {WORKLOAD_UID}; }}", "task": "standing",
              "purposes": ["alpha-work"], "rules": {"/signed/": SIGNED, "/bare/": "", "/bearer/": BEARER}},
    "beta": {"owner": "beta-team@example", "approved_by": "second@example", "caller": '"any"', "task": "standing",
             "purposes": ["beta-work"], "rules": {"/beta/": SIGNED}},
    "gamma": {"owner": "gamma-team@example", "approved_by": "third@example", "caller": f"{{ uid = {WORKLOAD_UID}; }}",
              "task": "required", "purposes": ["days", "nights"], "rules": {"/gamma/": SIGNED, "/more/": ""}},
}


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def grant(name, ttl="1h", **changed):
    g = {**GRANTS[name], **changed}
    rules = ",\n".join(f'{{ host = "allowed.test"; methods = "any"; paths = ["{path}**"]; upstream_trust = "{ws.ca.file}"; {more} }}'
                       for path, more in g["rules"].items())
    return f"""{{ name = "{name}"; owner = {quoted(g["owner"])}; approved_by = "{g["approved_by"]}"; ticket = "SEC-1";
    approved_at = "2026-11-01"; expires_at = "2099-01-01"; purposes = [{", ".join(map(quoted, g["purposes"]))}];
    task = "{g["task"]}"; ttl = "{ttl}"; caller = {g["caller"]};
    rules = (
{rules}
    ); }}"""


def config(more=("gamma",), above="", ttl="1h", log="", **changed):
    """alpha beside `more` in the main file, beta in one of its own; `above` moves every line of the main one."""
    secret = ws.file("github", SECRET, mode=0o400, owner=PROXY_UID)
    credentials = CREDENTIAL.replace("credentials = {", f"""credentials = {{
  github = {{ owner = "platform@example"; approved_by = "iam@example"; ticket = "SEC-102"; rotate_every = "30d";
    privileges = "read"; source = {{ kind = "file"; path = "{secret}"; }}; }};""")
    told = ",\n".join([grant("alpha", ttl, **changed), *map(grant, more)])

    def text(h):
        beside = os.path.join(os.path.dirname(h.config_path), "conf.d")
        os.makedirs(beside, exist_ok=True)
        with open(os.path.join(beside, "beta.conf"), "w", encoding="utf-8") as f:
            f.write(f"# a file of its own\ngrants = (\n{grant('beta')}\n);\n")
        inside = forward_config("", grants=told, credentials=credentials, names=hosts(allowed_test=PUBLIC), log=log,
                                workers=1)(h)
        return above + inside + f'control = {{ socket = "{h.run}/control.sock"; }};\n'
    return text


class Scene:
    """A Holdfast, connections that stay, and what each request should have left behind."""

    def __init__(self, text):
        self.h = Holdfast(ws, text, name=f"records-{next(numbers)}")
        self.expected = {}
        self.approver = {name: g["approved_by"] for name, g in GRANTS.items()}
        self.channels = []
        origin.forget()

    def channel(self, uid=WORKLOAD_UID, task=None):
        fields = [] if task is None else [("Proxy-Authorization", "Basic " + base64.b64encode(
            f"{task['id']}:{task['password']}".encode()).decode())]
        tunnel, answer = self.h.connect(uid=uid, fields=fields)
        assert answer.status == 200, (answer.line, answer.body)
        c = tunnel.start_tls(self.h.client_context(), "allowed.test")
        self.channels.append(c)
        return c, uid, task

    def place(self, path):
        """file:line of the rule for such paths, as the files say now."""
        folder = os.path.dirname(self.h.config_path)
        for file in (self.h.config_path, os.path.join(folder, "conf.d", "beta.conf")):
            with open(file, encoding="utf-8") as f:
                for n, line in enumerate(f, 1):
                    if f'"{path}**"' in line:
                        return f"{file}:{n}"
        raise AssertionError(path)

    def ask(self, channel, kind, method="GET"):
        """One request, on that connection and no other; its record is to be found by its path."""
        c, uid, task = channel
        name = next(n for n, g in GRANTS.items() if kind in g["rules"])
        g, how = GRANTS[name], GRANTS[name]["rules"][kind]
        path = f"{kind}{len(self.expected)}"
        answer = c.request(method, f"{path}?q={SECRET}", "allowed.test", [("X-Api-Key", SECRET)] if len(self.expected) % 2 else [])
        want = {"who": f"uid:{uid}", "to": "allowed.test:443", "method": method, "path": path, "grant": name, "owner": g["owner"],
                "approved_by": self.approver[name], "rule": self.place(kind)}
        if len(self.expected) % 2:
            want["stripped"] = ["x-api-key"]
        if how:
            want["credential"], want["binding"] = ("orders", "wimse") if how == SIGNED else ("github", "bearer")
        if how == BEARER:
            want["unbound_because"] = 'it takes "nothing" else'
        want["purpose"] = g["purposes"][0] if task is None or len(g["purposes"]) == 1 else task["purpose"]
        if len(g["purposes"]) > 1:
            want["task"] = task["id"]
        assert answer.status == 200, (path, answer.status, answer.body)
        self.expected[path] = want
        return answer

    def refused(self, channel, path):
        """No rule of this caller comes near it; whose task the client is was proved at CONNECT."""
        c, uid, task = channel
        answer = c.request("GET", path, "allowed.test")
        assert answer.status == 403, answer.body
        self.expected[path] = {"who": f"uid:{uid}", "to": "allowed.test:443", "method": "GET", "path": path, "reason": answer.reason,
                               "step": "judge", **({"task": task["id"]} if task else {})}

    def end(self):
        """Ends it and holds every record against what it should be, what the service saw and what the log says."""
        for c in self.channels:
            c.close()
        self.h.stop()
        folder = os.path.join(self.h.run, "ledger")
        with open(os.path.join(folder, "key.jwk"), encoding="ascii") as f:
            records = [json.loads(line) for _, line in ledger.verify(folder, json.load(f))]
        log = {li["x"]: li for li in self.h.requests()}
        seen = {q.target.partition("?")[0]: q for q in origin.requests}
        found = [r for r in records if r["kind"] == "decision"]
        assert sorted(r["path"] for r in found) == sorted(self.expected), "not one record for each request"
        for r in found:
            self.hold(r, log[r["x"]], seen.get(r["path"]))
        return records

    def hold(self, r, line, request):
        want = {"verdict": "refuse" if request is None else "allow", "kind": "decision", **self.expected[r["path"]]}
        if request is not None:
            want.setdefault("task", line["task"])
        if request is not None and want.get("binding") == "wimse":
            _, claims = jose.parts(request.get("workload-identity-token"))
            context = claims[jose.CONTEXT]
            want |= {"task": context["task"], "purpose": context["purpose"], "grant": context["grant"], "owner": context["owner"],
                     "proof": jose.parts(request.get("workload-proof-token"))[1]["jti"], "key": ledger.thumbprint(claims["cnf"]["jwk"])}
        if request is None:     # it may tell what came nearest, and nothing that was not done
            r = {m: v for m, v in r.items() if m in want or m in ("task", "credential", "proof", "binding", "stripped")}
        got = {m: v for m, v in r.items() if m not in ("seq", "prev", "ts", "x")}
        assert got == want, (got, want)


def begin(h, purpose):
    answer = ask(h.run + "/control.sock", "task_start", grant="gamma", purpose=purpose)
    assert answer["ok"], answer
    return {**answer, "purpose": purpose}


# ---- the promises

@promise
def each_record_has_its_own_values_on_connections_that_stay():
    s = Scene(config())
    days, nights = begin(s.h, "days"), begin(s.h, "nights")
    ours = [s.channel(task=days), s.channel(task=nights)]
    other = s.channel(OTHER_UID)
    for i in range(by_size(60, 300, 3000)):
        channel = random.choice(ours + [other])
        if channel is other:
            s.ask(other, "/beta/", random.choice(["GET", "DELETE"]))
        else:
            s.ask(channel, random.choice(["/signed/", "/bare/", "/bearer/", "/beta/", "/gamma/", "/more/"]), random.choice(["GET", "PUT"]))
        if i % 10 == 0:
            s.refused(random.choice(ours), f"/nowhere/{i}")
    assert SECRET not in json.dumps(s.end())


@promise
def a_reload_changes_the_next_record_on_a_connection_that_stays():
    s = Scene(config())
    task = begin(s.h, "nights")
    channels = [s.channel(task=task), s.channel(OTHER_UID)]

    def all_of_them():
        for kind in ("/signed/", "/bare/", "/bearer/", "/beta/", "/gamma/"):
            s.ask(channels[0], kind)
        s.ask(channels[1], "/beta/")
    all_of_them()
    for turn, changed in enumerate([{"above": "# moved\n" * 7}, {"approved_by": "next-approver@example"},
                                    {"above": "# moved\n" * 1200, "approved_by": "a@example"}]):
        line = s.h.reload(config(**changed))
        assert (line["msg"], line["generation"]) == ("config reloaded", turn + 2), line
        s.approver["alpha"] = changed.get("approved_by", GRANTS["alpha"]["approved_by"])
        all_of_them()
    s.end()


@promise
def a_renewed_task_is_named_in_the_next_record_on_a_connection_that_stays():
    s = Scene(config(more=(), ttl="10s", log='log = { level = "debug"; };'))   # a renewal is told at that level alone
    channel = s.channel()
    tasks = []
    for _ in range(3):
        s.ask(channel, "/bare/")
        s.ask(channel, "/signed/")
        tasks.append(jose.parts(origin.requests[-1].get("workload-identity-token"))[1][jose.CONTEXT]["task"])
        s.h.wait_line(lambda li: li.get("msg") == "task ended" and li["task"] == tasks[-1] and li["cause"] == "renewed",
                      timeout=300, what="the renewal")
    assert len(set(tasks)) == 3, tasks
    s.end()


main(ws.remove)
