"""A sidecar whose grants need tasks, a service behind it, and its control socket: the scene of what starts tasks."""

import base64
import secrets

import jose
from control import ask, holdfast
from holdfast import (CREDENTIAL, Holdfast, OTHER_UID, Origin, PROXY_UID, PUBLIC, WORKLOAD_UID, echo,
                      forward_config, hosts)

SECRET = "REAL-" + secrets.token_hex(16)


def service(connection, request):
    """An echo, and as much of a repository as `git ls-remote` asks for."""
    if "/info/refs" in request.target:
        connection.read_body(request)
        connection.reply(200, f"{'a' * 40}\trefs/heads/main\n")
    elif request.target.endswith(".git/HEAD"):
        connection.read_body(request)
        connection.reply(200, "ref: refs/heads/main\n")
    else:
        echo(connection, request)


class Scene:
    """At allowed.test: /run/** is signed for, /github/** has a secret behind a handle."""

    def __init__(self, ws, name="tasks", limits="", more=""):
        self.ws = ws
        self.origin = Origin(PUBLIC, 443, ws.leaf("allowed.test"), answer=service)
        self.folder = ws.directory("secrets")
        path = ws.file("secrets/github", SECRET, mode=0o400, owner=PROXY_UID)
        self.credentials = CREDENTIAL.replace("credentials = {", f"""credentials = {{
  github = {{ owner = "platform@example"; approved_by = "iam@example"; ticket = "SEC-102"; rotate_every = "30d";
    privileges = "read"; source = {{ kind = "file"; path = "{path}"; }}; handle = {{ shape = "ghp_{{36}}"; env = "GITHUB_TOKEN"; }}; }};""")
        self.limits, self.more = limits, more
        self.h = Holdfast(ws, self.config(), name=name)
        self.socket = self.h.run + "/control.sock"

    def config(self):
        grants = ", ".join([self.grant("nightly"), self.grant("others", OTHER_UID),
                            self.grant("standing", task="standing", purposes='"testing"', host="standing.test")])
        inside = forward_config("", grants=grants, credentials=self.credentials, limits=self.limits, more=self.more,
                                names=hosts(allowed_test=PUBLIC, standing_test=PUBLIC))
        return lambda h: inside(h) + f'control = {{ socket = "{h.run}/control.sock"; }};\n'

    def grant(self, name, uid=WORKLOAD_UID, task="required", purposes='"testing", "nightly"', host="allowed.test"):
        def rule(paths, more):
            return f'{{ host = "{host}"; methods = "any"; paths = {paths}; upstream_trust = "{self.ws.ca.file}"; {more} }}'
        rules = ", ".join([rule('["/run/**"]', 'credential = "orders"; bind = ["wimse"]; inject = "always";'),
                           rule('["/github/**"]', 'credential = "github"; bind = ["bearer"]; unbound_because = "it takes nothing else";')])
        return f"""
  {{ name = "{name}"; owner = "tests@example"; approved_by = "security@example"; ticket = "SEC-1";
    approved_at = "2026-11-01"; expires_at = "2099-01-01";
    purposes = [{purposes}]; task = "{task}"; ttl = "1h"; caller = {{ uid = {uid}; }};
    rules = ( {rules} ); }}"""

    # ---- the operator

    def ask(self, verb, **members):
        return ask(self.socket, verb, **members)

    def begin(self, grant="nightly", purpose="testing", **terms):
        answer = self.ask("task_start", grant=grant, purpose=purpose, **terms)
        assert answer["ok"], answer
        return answer

    def call(self, *words, **more):
        return holdfast(*words, "-c", self.h.config_path, **more)

    def live(self, grant="nightly"):
        return [t["id"] for t in self.ask("task_list", grant=grant)["tasks"]]

    def ended(self, task, since=0):
        return self.h.wait_line(lambda li: li.get("msg") == "task ended" and li["task"] == task, since, what="the task's end")

    def told(self, verb, since):
        """The log's line of a mutation."""
        return self.h.wait_line(lambda li: li.get("msg") == "control" and li["verb"] == verb, since, what=f"a line of {verb}")

    # ---- the workload

    def get(self, path="/run/x", task=None):
        """One request, in a tunnel whose client says which task it is of."""
        fields = [] if task is None else [("Proxy-Authorization", "Basic " + base64.b64encode(
            f"{task['id']}:{task['password']}".encode()).decode())]
        channel, answer = self.h.connect(fields=fields)
        assert answer.status == 200, (answer.line, answer.body)
        with channel.start_tls(self.h.client_context(), "allowed.test") as c:
            return c.request("GET", path, "allowed.test")

    def context(self, nth=-1):
        """What the token of the service's nth request says."""
        return jose.parts(self.origin.requests[nth].get("workload-identity-token"))[1][jose.CONTEXT]
