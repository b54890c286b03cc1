#!/bin/bash
# User-mode instructions per kept-alive request, by callgrind: for machines whose kernel gives no counters (measure.py
# then reads 0). Each peer is run twice, with 500 and with 2,500 requests; the difference over 2,000 is what a
# request costs, without start-up and handshakes. HF_MODE=conn: the same of connections with one request each, 100 and 600. valgrind has no AVX-512 or VAES, so these are not the numbers that
# a counter would show: compare them with each other.
# HF_BUT_MAIN=1: Holdfast's main thread is not counted. It does nothing for a request, and what it does to start ten
# thousand tasks would drown the difference.
# With one connection (HF_CONNECTIONS=1) a figure repeats to 0.1 %, with eight to 6 %.
# With holdfast-transparent among them all is done in a network of its own (as root: a rule of nftables leads to the door).
#   ./instructions.sh [peer...]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
export HF_RUN=${HF_RUN:-/tmp/perf/run}
export HF_WAIT_S=${HF_WAIT_S:-200} HF_STOP_S=${HF_STOP_S:-100}
peers=("$@")
[ ${#peers[@]} -gt 0 ] || peers=(holdfast holdfast-wpt haproxy nginx floor floor-sign)
case " ${peers[*]} " in
*" holdfast-transparent "*)
    [ -n "${HF_OWN_NET:-}" ] || HF_OWN_NET=1 exec unshare -n "$0" "${peers[@]}"
    ip link set lo up ;;
esac
mode=${HF_MODE:-keep}
few=500 many=2500
[ "$mode" = keep ] || few=100 many=600
cc -O2 -pthread -o "$HF_RUN/hfload" "$here/hfload.c" -lssl -lcrypto
mkdir -p "$HF_RUN/callgrind"; chmod 777 "$HF_RUN/callgrind"

run() { # peer operations: the instructions of the whole run
    local route ca=pki/mitm-ca.pem out=--callgrind-out-file=/dev/null
    [ -z "${HF_BUT_MAIN:-}" ] || out="--separate-threads=yes --callgrind-out-file=$HF_RUN/callgrind/out.%p"
    rm -f "$HF_RUN"/callgrind/*
    HF_ORIGIN_CPU=1 "$here/peers.sh" start origin >/dev/null
    HF_CPU=0 HF_WRAP="valgrind --tool=callgrind --trace-children=yes $out --log-file=$HF_RUN/callgrind/log.%p" \
        "$here/peers.sh" start "$1" >/dev/null
    case $1 in
    holdfast-transparent) route=(--via 127.0.0.2:19443); ca=holdfast/public/ca.pem ;;
    holdfast*) route=(--proxy 127.0.0.1:18445); ca=holdfast/public/ca.pem ;;
    floor*) route=(--via 127.0.0.1:18444) ;;
    *) route=(--via 127.0.0.1:18443) ;;
    esac
    "$HF_RUN/hfload" "${route[@]}" --cacert "$HF_RUN/$ca" -m "$mode" -c "${HF_CONNECTIONS:-8}" -w 0 -d 300 -n "$2" --quiet --expect-length 100 \
        -H 'Authorization: Bearer 0123456789abcdef0123456789abcdef' -H 'Accept: */*' -H 'User-Agent: hfload/1' \
        https://origin.test:19443/100b >/dev/null
    "$here/peers.sh" stop "$1" origin
    if [ -n "${HF_BUT_MAIN:-}" ]; then
        rm -f "$HF_RUN"/callgrind/out.*-01
        awk '/^totals:/ { n += $2 } END { printf "%.0f\n", n }' "$HF_RUN"/callgrind/out.*-[0-9]*
    else
        awk '/Collected/ { n += $4 } END { printf "%.0f\n", n }' "$HF_RUN"/callgrind/log.*
    fi
}

for peer in "${peers[@]}"; do
    base=$(run "$peer" $few)
    all=$(run "$peer" $many)
    printf '%-20s %8d user instructions per %s\n' "$peer" $(((all - base) / (many - few))) \
        "$([ "$mode" = keep ] && echo request || echo connection)"
done
