#!/usr/bin/env python3
"""Measures the peers (and Holdfast, once peers.sh knows it) side by side, in alternated rounds.

  measure.py [--rounds N] [--peers a,b,...] [--only scenario,...] [--out FILE.jsonl]
  measure.py --table FILE.jsonl                 medians of what was recorded
  measure.py --table FILE.jsonl --ratio haproxy medians of ratios, peer by peer in the same round

Every round starts each peer anew, one after the other (A B C A B C ...), runs each scenario against it
and appends one JSON line per run.  Peer on core 0, load and origin on core 1, unless the scenario says
"free".  Ratios of instructions and CPU time per request stay true on a noisy machine; rates do not.
"""
import argparse, collections, json, os, random, shlex, socket, ssl, statistics, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))
RUN = os.environ.get("HF_RUN", "/tmp/perf/run")
LOAD = os.path.join(RUN, "hfload")
ENV = dict(os.environ, HF_RUN=RUN)

# name: (route, port, CA file of the leaf, pid directory)
PEERS = {
    "holdfast": ("proxy", 18445, "holdfast/public/ca.pem", "holdfast"),
    "holdfast-2w": ("proxy", 18445, "holdfast/public/ca.pem", "holdfast"),
    "holdfast-transparent": ("led", 18446, "holdfast/public/ca.pem", "holdfast"),
    "holdfast-wpt": ("proxy", 18445, "holdfast/public/ca.pem", "holdfast"),
    "holdfast-dpop": ("proxy", 18445, "holdfast/public/ca.pem", "holdfast"),
    "holdfast-httpsig": ("proxy", 18445, "holdfast/public/ca.pem", "holdfast"),
    "holdfast-100k": ("proxy", 18445, "holdfast/public/ca.pem", "holdfast"),
    "direct": ("direct", 19443, "pki/origin-ca.pem", "origin"),
    "haproxy": ("via", 18443, "pki/mitm-ca.pem", "haproxy"),
    "haproxy-2t": ("via", 18443, "pki/mitm-ca.pem", "haproxy"),
    "haproxy-dpop": ("via", 18443, "pki/mitm-ca.pem", "haproxy"),
    "nginx": ("via", 18443, "pki/mitm-ca.pem", "nginx"),
    "nginx-2w": ("via", 18443, "pki/mitm-ca.pem", "nginx"),
    "nginx-buf": ("via", 18443, "pki/mitm-ca.pem", "nginx"),
    "squid": ("proxy", 13128, "pki/mitm-ca.pem", "squid"),
    "mitmproxy": ("proxy", 18088, "pki/mitm-ca.pem", "mitmproxy"),
    "mitmproxy-dpop": ("proxy", 18088, "pki/mitm-ca.pem", "mitmproxy"),
    "node": ("proxy", 18888, "node/ca/certs/ca.pem", "node"),
    "node-dpop": ("proxy", 18888, "node/ca/certs/ca.pem", "node"),
    "srt": ("proxy", 18889, "srt/ca.pem", "srt"),
    "gomitm": ("proxy", 18890, "pki/mitm-ca.pem", "gomitm"),
    "gomitm-dpop": ("proxy", 18890, "pki/mitm-ca.pem", "gomitm"),
    "floor": ("via", 18444, "pki/mitm-ca.pem", "floor"),
    "floor-sign": ("via", 18444, "pki/mitm-ca.pem", "floor"),
    "floor-mint": ("via", 18444, "pki/mitm-ca.pem", "floor"),
}
SLOW = {"mitmproxy", "mitmproxy-dpop", "node", "node-dpop", "srt"}
AUTH = ["-H", "Authorization: Bearer 0123456789abcdef0123456789abcdef", "-H", "Accept: */*",
        "-H", "User-Agent: hfload/1"]
URL = "https://origin.test:19443"

# scenario: (arguments, path, pinned)
SCEN = {
    "keep64": (["-m", "keep", "-c", "64", "-w", "1", "-d", "3", "--expect-length", "100"], "/100b", True),
    "keep64free": (["-m", "keep", "-c", "64", "-w", "1", "-d", "3", "--expect-length", "100"], "/100b", False),
    "keep1": (["-m", "keep", "-c", "1", "-w", "0.5", "-d", "2", "--expect-length", "100"], "/100b", True),
    "rate200": (["-m", "keep", "-c", "16", "-R", "200", "-w", "1", "-d", "4", "--expect-length", "100"], "/100b", True),
    "rate2000": (["-m", "keep", "-c", "32", "-R", "2000", "-w", "1", "-d", "3", "--expect-length", "100"], "/100b", True),
    "conn": (["-m", "conn", "-c", "32", "-w", "1", "-d", "3", "--expect-length", "100"], "/100b", True),
    "resume": (["-m", "conn", "--resume", "-c", "32", "-w", "1", "-d", "3", "--expect-length", "100"], "/100b", True),
    "shake": (["-m", "shake", "-c", "16", "-w", "1", "-d", "3"], "/100b", True),
    "mint": (["-m", "shake", "-c", "16", "-w", "0.5", "-d", "3"], "/100b", True),
    "mintslow": (["-m", "shake", "-c", "4", "-w", "0", "-d", "25", "--timeout", "60"], "/100b", True),
    "body10m": (["-m", "keep", "-c", "8", "-w", "1", "-d", "4", "--expect-length", "10485760"], "/10m", True),
    "body64k": (["-m", "keep", "-c", "32", "-w", "1", "-d", "3", "--expect-length", "65536"], "/64k", True),
    "idle1000": (["-m", "idle", "-c", "1000", "-d", "3", "--expect-length", "100"], "/100b", True),
    "startup": ([], "/100b", True),
}
DEFAULT = ["startup", "keep1", "keep64", "keep64free", "rate200", "rate2000", "conn", "resume", "shake", "mint", "body10m",
           "body64k", "idle1000"]


def sh(*a, **k):
    return subprocess.run(a, env=dict(ENV, **k), check=True, stdout=subprocess.PIPE, text=True).stdout


def port_free(port):
    s = socket.socket()
    s.settimeout(1)
    try:
        return s.connect_ex(("127.0.0.1", port)) != 0
    finally:
        s.close()


def pid_of(peer):
    with open(f"{RUN}/{PEERS[peer][3]}/pid") as f:
        return f.read().strip()


def entrance(peer):
    """Where one connects to; the kernel leads from there to a transparent door."""
    kind, port = PEERS[peer][:2]
    return ("127.0.0.2", 19443) if kind == "led" else ("127.0.0.1", port)


def route(peer):
    kind = PEERS[peer][0]
    return ["--proxy" if kind == "proxy" else "--via", "%s:%d" % entrance(peer)]


def load(peer, scen):
    args, path, pinned = SCEN[scen]
    url = URL + path
    if scen in ("mint", "mintslow"):
        url = "https://h%u.mint.test:19443" + path
        args = args + ["--first", str(random.randrange(1, 10**9) * 1000)]
    if peer in SLOW and scen in ("conn", "resume", "shake", "mint"):
        args = args + ["--timeout", "60"]
    cmd = [LOAD, *route(peer), "--cacert", f"{RUN}/{PEERS[peer][2]}", "--json", "--label", f"{peer}/{scen}",
           "--pid", pid_of(peer), *AUTH, *args, url]
    if pinned:
        cmd = ["taskset", "-c", "1", *cmd]
    p = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=200)
    if not p.stdout.strip():
        return {"failed": p.stderr.strip()[:200]}
    r = json.loads(p.stdout)
    if not r["ops"]:  # nothing finished: nothing per operation
        r["proxy"] = {k: v for k, v in r["proxy"].items() if not k.endswith("_per_op")}
    return r


def one_request(peer):
    kind, _, ca, _ = PEERS[peer]
    ctx = ssl.create_default_context(cafile=f"{RUN}/{ca}")
    s = socket.create_connection(entrance(peer), 5)
    s.settimeout(10)
    try:
        if kind == "proxy":
            s.sendall(b"CONNECT origin.test:19443 HTTP/1.1\r\nHost: origin.test:19443\r\n\r\n")
            r = b""
            while b"\r\n\r\n" not in r:
                d = s.recv(4096)
                if not d:
                    raise OSError("closed")
                r += d
        t = ctx.wrap_socket(s, server_hostname="origin.test")
        t.sendall(b"GET /100b HTTP/1.1\r\nHost: origin.test:19443\r\nConnection: close\r\n\r\n")
        r = t.recv(4096)
        t.close()
        if b" 200 " not in r[:20]:
            raise OSError("not 200: " + repr(r[:40]))
    finally:
        s.close()


def startup(peer):
    """Seconds from exec to the first answered request; then RSS and the files mapped."""
    if peer == "direct":
        return None
    cmd = shlex.split(sh(f"{HERE}/peers.sh", "cmd", peer).strip())
    for f in ("node/ca/certs/ca.pem", "srt/ca.pem"):
        if PEERS[peer][2] == f and os.path.exists(f"{RUN}/{f}") and peer == "srt":
            os.unlink(f"{RUN}/{f}")
    dpop = {"HF_NODE_MODULES": os.environ.get("HF_NODE_MODULES", "/tmp/perf/npm/node_modules")}
    t0 = time.monotonic()
    p = subprocess.Popen(["taskset", "-c", "0", *cmd], env=dict(ENV, **dpop), stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    first = None
    while time.monotonic() - t0 < 30:
        try:
            one_request(peer)
            first = time.monotonic() - t0
            break
        except (OSError, ssl.SSLError):
            time.sleep(0.002)
    mem = {}
    size = {}
    for pid in tree(p.pid):
        for line in open(f"/proc/{pid}/smaps_rollup"):
            k, *v = line.split()
            if k in ("Rss:", "Pss:", "Private_Dirty:", "Private_Clean:"):
                mem[k[:-1]] = mem.get(k[:-1], 0) + int(v[0])
        for line in open(f"/proc/{pid}/maps"):
            f = line.split(maxsplit=5)
            if len(f) == 6 and f[5].startswith("/") and "r-xp" in f[1]:
                name = f[5].strip()
                if os.path.exists(name):
                    size[name] = os.path.getsize(name)
    p.terminate()
    try:
        p.wait(5)
    except subprocess.TimeoutExpired:
        p.kill()
        p.wait()
    return {"label": f"{peer}/startup", "ready_s": first, "rss_kb": mem.get("Rss"), "pss_kb": mem.get("Pss"),
            "private_kb": mem.get("Private_Dirty", 0) + mem.get("Private_Clean", 0),
            "exec_bytes": sum(size.values()), "exec_files": len(size)}


def tree(pid):
    out = [pid]
    for q in os.listdir("/proc"):
        if q.isdigit():
            try:
                f = open(f"/proc/{q}/stat").read().rsplit(")", 1)[1].split()
                if int(f[1]) in out and int(q) not in out:
                    out.append(int(q))
            except OSError:
                pass
    return out


def run(a):
    os.makedirs(RUN, exist_ok=True)
    subprocess.run(["cc", "-O2", "-Wall", "-pthread", "-o", LOAD, f"{HERE}/hfload.c", "-lssl", "-lcrypto"], check=True)
    if not os.path.isdir(f"{RUN}/pki"):
        sh(f"{HERE}/peers.sh", "pki")
    for peer in a.peers:
        if not port_free(PEERS[peer][1]):  # SO_REUSEPORT would let a leftover share the load unseen
            sys.exit(f"port {PEERS[peer][1]} ({peer}) is in use: stop what listens there first")
    sh(f"{HERE}/peers.sh", "start", "origin", HF_ORIGIN_CPU="1")
    out = open(a.out, "a")
    try:
        for rnd in range(a.rounds):
            for peer in a.peers:
                def rec(scen, r):
                    if r is None:
                        return
                    r.update(peer=peer, scen=scen, round=rnd)
                    out.write(json.dumps(r) + "\n")
                    out.flush()
                if "startup" in a.only:
                    rec("startup", startup(peer))
                groups = {}
                for s in a.only:
                    if s != "startup":
                        groups.setdefault((SCEN[s][2], s == "idle1000"), []).append(s)
                for (pinned, _), scens in groups.items():
                    if peer != "direct":
                        for k in range(3):
                            try:
                                sh(f"{HERE}/peers.sh", "start", peer, HF_CPU="0" if pinned else "")
                                break
                            except subprocess.CalledProcessError:
                                sh(f"{HERE}/peers.sh", "stop", peer)
                                time.sleep(1)
                    time.sleep(0.3)
                    try:
                        one_request(peer)
                    except (OSError, ssl.SSLError):
                        pass
                    try:
                        for s in scens:
                            if skip(peer, s):
                                continue
                            r = load(peer, s)
                            rec(s, r)
                            print(f"r{rnd} {peer:15} {s:10} " + short(r), flush=True)
                    finally:
                        if peer != "direct":
                            sh(f"{HERE}/peers.sh", "stop", peer)
    finally:
        sh(f"{HERE}/peers.sh", "stop", "origin")


def skip(peer, scen):
    if peer.endswith(("-2t", "-2w")) and scen != "keep64free":
        return True
    if peer in SLOW and scen == "rate2000":
        return True
    if scen == "mint" and peer in ("nginx", "nginx-buf", "floor", "floor-sign", "direct"):
        return True
    if peer == "floor-mint" and scen not in ("shake", "mint"):
        return True
    if peer.endswith(("-dpop", "-sign")) and scen not in ("keep64", "keep64free", "rate200", "rate2000"):
        return True
    return False


def short(r):
    if "failed" in r and "ops_s" not in r:
        return f"FAILED {r['failed']}"
    p = r.get("proxy", {})
    return (f"{r['ops_s']:.0f}/s p50 {r['lat_us']['p50']:.0f} p99 {r['lat_us']['p99']:.0f} us  "
            f"cpu/op {p.get('cpu_us_per_op', 0):.1f} us instr/op {p.get('instr_per_op', 0):.0f} "
            f"busy {p.get('cpu_pct', 0):.0f}% {r['mb_s']:.0f} MB/s  KiB/conn {p.get('kb_per_conn', 0):.1f} "
            f"err {r['errors']} {r.get('tls_error', '')} {r.get('http_error', '')}")


def med(rows, *path):
    v = []
    for r in rows:
        x = r
        for k in path:
            x = x.get(k) if isinstance(x, dict) else None
        if x is not None:
            v.append(x)
    return statistics.median(v) if v else None


COLS = {
    "startup": [("ready_s", "ready s", 3), ("rss_kb", "RSS KiB", 0), ("private_kb", "private KiB", 0),
                ("exec_bytes", "code bytes", 0)],
    "idle1000": [("held", "held", 0), ("proxy.rss_kb_before", "RSS before", 0), ("proxy.rss_kb", "RSS held", 0),
                 ("proxy.private_kb", "private", 0), ("proxy.kb_per_conn", "KiB/conn", 1),
                 ("proxy.idle_cpu_pct", "idle CPU %", 2)],
    "": [("ops_s", "ops/s", 0), ("lat_us.p50", "p50 us", 0), ("lat_us.p99", "p99 us", 0), ("lat_us.p999", "p99.9 us", 0),
         ("mb_s", "MB/s", 1), ("proxy.cpu_us_per_op", "CPU us/op", 1), ("proxy.instr_per_op", "instr/op", 0),
         ("proxy.user_instr_per_op", "user instr", 0), ("proxy.syscalls_per_op", "syscalls", 1),
         ("proxy.mb_per_cpu_s", "MB/CPU-s", 1), ("proxy.cpu_pct", "busy %", 0), ("proxy.rss_kb", "RSS KiB", 0),
         ("errors", "errors", 0)],
}


def ratios(files, base):
    """Median over rounds of (peer / base), each pair from the same round of the same file."""
    rows = {}
    for f in files:
        for line in open(f):
            r = json.loads(line)
            rows[r["scen"], r["peer"], f, r["round"]] = r
    print(f"| scenario | peer | CPU/op vs {base} | instr/op | ops/s | p50 | p99 | pairs |\n|---|---|---|---|---|---|---|---|")
    for scen in SCEN:
        for peer in PEERS:
            got = collections.defaultdict(list)
            for (s, p, f, n), r in rows.items():
                b = rows.get((scen, base, f, n))
                if s != scen or p != peer or not b or peer == base:
                    continue
                for name, path in (("cpu", ("proxy", "cpu_us_per_op")), ("instr", ("proxy", "instr_per_op")),
                                   ("ops", ("ops_s",)), ("p50", ("lat_us", "p50")), ("p99", ("lat_us", "p99"))):
                    x, y = med([r], *path), med([b], *path)
                    if x and y:
                        got[name].append(x / y)
            if got:
                cell = lambda k: f"{statistics.median(got[k]):.2f}" if got[k] else ""
                print(f"| {scen} | {peer} | " + " | ".join(cell(k) for k in ("cpu", "instr", "ops", "p50", "p99")) +
                      f" | {max(len(v) for v in got.values())} |")


def table(files):
    rows = collections.defaultdict(list)
    for f in files:
        for line in open(f):
            r = json.loads(line)
            rows[r["scen"], r["peer"]].append(r)
    for scen in SCEN:
        peers = [p for p in PEERS if (scen, p) in rows]
        if not peers:
            continue
        cols = COLS.get(scen, COLS[""])
        print(f"\n### {scen}\n")
        print("| peer | n | " + " | ".join(c[1] for c in cols) + " |")
        print("|---|---|" + "---|" * len(cols))
        for p in peers:
            rs = rows[scen, p]
            cells = []
            for key, _, nd in cols:
                v = med(rs, *key.split("."))
                cells.append("" if v is None else f"{v:,.{nd}f}")
            print(f"| {p} | {len(rs)} | " + " | ".join(cells) + " |")


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--peers", default="direct,haproxy,nginx,squid,gomitm,mitmproxy,node,srt,floor,floor-sign,haproxy-dpop,"
                                       "gomitm-dpop,mitmproxy-dpop,node-dpop,floor-mint,haproxy-2t,nginx-2w")
    ap.add_argument("--only", default=",".join(DEFAULT))
    ap.add_argument("--out", default=os.path.join(RUN, "results.jsonl"))
    ap.add_argument("--table", nargs="*")
    ap.add_argument("--ratio", metavar="PEER", help="with --table: medians of ratios to this peer, round by round")
    a = ap.parse_args()
    a.peers = a.peers.split(",")
    a.only = a.only.split(",")
    if a.table is not None and a.ratio:
        ratios(a.table or [a.out], a.ratio)
    elif a.table is not None:
        table(a.table or [a.out])
    else:
        run(a)


if __name__ == "__main__":
    main()
