#!/usr/bin/env python3
"""Compares builds of Holdfast, and HAProxy, on bodies while the machine is busy: all live at once on core 0, and are
asked in short bursts in turns, so that what else goes on meets all of them alike. CPU time per MB that came
through, not per body: a burst ends with bodies half sent.

  turns.py [--rounds N] [--path /10m] [--conns N] [--seconds S] NAME=BINARY...

Origin and HAProxy are started by peers.sh. As measure.py it wants the machine's ports and cores for itself; Holdfast's
own ports are 18471 and up."""
import argparse, json, os, shutil, statistics, subprocess, time

HERE = os.path.dirname(os.path.abspath(__file__))
RUN = os.environ.get("HF_RUN", "/tmp/perf/run")
LENGTHS = {"/10m": "10485760", "/1m": "1048576", "/64k": "65536"}


def peers(what, *names, cpu="0"):
    subprocess.run([f"{HERE}/peers.sh", what, *names], env=dict(os.environ, HF_RUN=RUN, HF_CPU=cpu, HF_ORIGIN_CPU="1"),
                   check=True, stdout=subprocess.DEVNULL)


def launch(binary, port):
    """A Holdfast like peers.sh's, with a place and a port of its own."""
    place = f"{RUN}/turns-{port}"
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(f"{place}/run")
    os.chown(f"{place}/run", 64001, -1)
    with open(f"{RUN}/holdfast/holdfast.conf") as f, open(f"{place}/holdfast.conf", "w") as to:
        to.write(f.read().replace(f"{RUN}/holdfast", place).replace("18445", str(port)))
    process = subprocess.Popen(["taskset", "-c", "0", binary, "run", "-c", f"{place}/holdfast.conf"],
                               stdout=subprocess.DEVNULL, stderr=open(f"{place}/err", "w"))
    while not os.path.exists(f"{place}/run/control"):
        if process.poll() is not None:
            raise SystemExit(open(f"{place}/err").read())
        time.sleep(0.02)
    return process, ["--proxy", f"127.0.0.1:{port}", "--cacert", f"{place}/public/ca.pem"]


def burst(pid, route, wish):
    out = subprocess.run(["taskset", "-c", "1", f"{RUN}/hfload", *route, "--json", "--pid", str(pid), "-m", "keep", "-c", wish.conns,
                          "-d", wish.seconds, "-w", "0.3", "-H", "Authorization: Bearer 0123456789abcdef",
                          "--expect-length", LENGTHS[wish.path], "https://origin.test:19443" + wish.path],
                         stdout=subprocess.PIPE, text=True, check=True).stdout
    r = json.loads(out)
    return 1e6 / r["proxy"]["mb_per_cpu_s"], r["lat_us"]["p50"], r["lat_us"]["p99"], r["errors"]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=14)
    p.add_argument("--path", choices=LENGTHS, default="/10m")
    p.add_argument("--conns", default="8")
    p.add_argument("--seconds", default="0.6")
    p.add_argument("builds", nargs="+", metavar="NAME=BINARY")
    wish = p.parse_args()
    subprocess.run(["cc", "-O2", "-pthread", "-o", f"{RUN}/hfload", f"{HERE}/hfload.c", "-lssl", "-lcrypto"], check=True)
    started, seen = [], {}
    try:
        peers("start", "origin", "haproxy")
        subprocess.run([f"{HERE}/peers.sh", "cmd", "holdfast"], env=dict(os.environ, HF_RUN=RUN), check=True,
                       stdout=subprocess.DEVNULL)  # for its configuration
        with open(f"{RUN}/haproxy/pid") as f:
            those = [("haproxy", f.read().strip(), ["--via", "127.0.0.1:18443", "--cacert", f"{RUN}/pki/mitm-ca.pem"])]
        for i, build in enumerate(wish.builds):
            name, _, binary = build.partition("=")
            process, route = launch(binary, 18471 + i)
            started.append(process)
            those.append((name, process.pid, route))
        for _ in range(wish.rounds):
            for name, pid, route in those:
                seen.setdefault(name, []).append(burst(pid, route, wish))
    finally:
        for process in started:
            process.terminate()
            process.wait()
        peers("stop", "haproxy", "origin")
    for name, rows in seen.items():
        median = [statistics.median(column) for column in zip(*rows)]
        ratio = statistics.median(a[0] / b[0] for a, b in zip(rows, seen["haproxy"]))
        print(f"{name:12} {median[0]:6.0f} us of CPU per MB, {ratio:.3f} of HAProxy's; p50 {median[1]:.0f} p99 {median[2]:.0f} us, "
              f"{sum(r[3] for r in rows)} errors")


main()
