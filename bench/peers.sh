#!/bin/bash
# Starts and stops the origin and the peers that Holdfast is measured against.  All on 127.0.0.0/8.
#   peers.sh install            Debian packages (and, with --node, the npm peers) that the peers need
#   peers.sh pki                the keys and certificates, made anew under $HF_RUN/pki
#   peers.sh start NAME [...]   NAME: see `peers.sh list`; prints "PID PORT ROUTE" on the last line
#   peers.sh stop NAME          ends what `start NAME` started (by its pid file, never by name)
#   peers.sh cmd NAME           makes the configuration and prints the command that would be run
#   peers.sh list
# HF_RUN (default /tmp/perf/run) holds everything that is made.  HF_CPU pins the peer (taskset -c),
# HF_ORIGIN_CPU the origin; HF_STOP_S (4) is how long one may take to end before it is killed; HF_WRAP is put before the peer's command (valgrind, perf).  HF_NODE_MODULES says where `npm install` put the npm peers.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
export HF_RUN=${HF_RUN:-/tmp/perf/run}
export HF_NODE_MODULES=${HF_NODE_MODULES:-/tmp/perf/npm/node_modules}
RUN=$HF_RUN
mkdir -p "$RUN"; chmod 755 "$RUN"
pin() { if [ -n "${1:-}" ]; then c=$1; shift; exec taskset -c "$c" "$@"; else shift; exec "$@"; fi; }

pki() {
    rm -rf "$RUN/pki"; mkdir -p "$RUN/pki"; cd "$RUN/pki"
    ec() { openssl ecparam -name prime256v1 -genkey -noout -out "$1"; }
    ca() { ec "$1.key"; openssl req -x509 -new -key "$1.key" -sha256 -days 30 -subj "/CN=$2" -out "$1.pem" \
           -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign,cRLSign" 2>/dev/null; }
    leaf() { # name ca cn san
        ec "$1.key"; openssl req -new -key "$1.key" -subj "/CN=$3" -out "$1.csr" 2>/dev/null
        printf 'subjectAltName=%s\nbasicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n' "$4" > "$1.ext"
        openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -sha256 -days 20 \
            -extfile "$1.ext" -out "$1.pem" 2>/dev/null; rm "$1.csr" "$1.ext"; }
    ca origin-ca "bench origin CA"; ca mitm-ca "bench MITM CA"
    leaf origin origin-ca origin.test "DNS:origin.test,DNS:*.origin.test,DNS:*.mint.test,IP:127.0.0.1"
    leaf leaf mitm-ca origin.test "DNS:origin.test,DNS:*.mint.test"
    leaf default mitm-ca default.invalid "DNS:default.invalid"
    cat default.pem default.key > default-both.pem; cat mitm-ca.pem mitm-ca.key > mitm-ca-both.pem
    cat leaf.pem leaf.key > leaf-both.pem
    ec dpop.key
    pub=$(openssl ec -in dpop.key -pubout -outform DER 2>/dev/null | tail -c 64 | xxd -p -c 64)
    b64() { xxd -r -p | base64 -w0 | tr '+/' '-_' | tr -d '='; }
    printf '{"kty":"EC","crv":"P-256","x":"%s","y":"%s"}\n' "$(echo "${pub:0:64}" | b64)" "$(echo "${pub:64}" | b64)" > dpop.jwk
    chmod 644 ./*
}

many_hosts() { # N: a second grant of so many rules, a host each, beside the config
    mkdir -p "$RUN/holdfast/conf.d"
    awk -v n="$1" 'BEGIN {
        print "grants = ( { name = \"many\"; owner = \"a@bench.test\"; approved_by = \"b@bench.test\"; ticket = \"B-2\";"
        print "approved_at = \"2026-01-01\"; expires_at = \"2036-01-01\"; purposes = [\"measuring\"]; task = \"standing\"; ttl = \"15m\";"
        print "caller = \"any\"; rules = ("
        for (i = 0; i < n; i++)
            printf "%s{ host = \"h%d.d%d.test\"; port = 19443; methods = \"any\"; paths = \"any\"; }\n", i ? "," : "", i, i % 977
        print "); } );"
    }' > "$RUN/holdfast/conf.d/many.conf"
}

many_grants() { # N: so many that need a task, of a host each, beside the config
    mkdir -p "$RUN/holdfast/conf.d"
    awk -v n="$1" 'BEGIN {
        print "grants = ("
        for (i = 0; i < n; i++) {
            printf "%s{ name = \"g%d\"; owner = \"a@bench.test\"; approved_by = \"b@bench.test\"; ticket = \"B-2\";", i ? "," : "", i
            print "approved_at = \"2026-01-01\"; expires_at = \"2036-01-01\"; purposes = [\"measuring\"]; task = \"required\";"
            printf "ttl = \"24h\"; caller = \"any\"; rules = ( { host = \"h%d.test\"; port = 19443; methods = \"any\";", i
            print "paths = \"any\"; credential = \"bench\"; bind = [\"wimse\"]; inject = \"always\"; } ); }"
        }
        print ");"
    }' > "$RUN/holdfast/conf.d/many.conf"
}

fill() { # template output KEY=VALUE...
    local t=$1 o=$2; shift 2
    local s; s=$(cat "$t"); s=${s//@RUN@/$RUN}
    for kv in "$@"; do s=${s//@${kv%%=*}@/${kv#*=}}; done
    printf '%s\n' "$s" > "$o"
}
wait_port() { # port: up to $HF_WAIT_S seconds (20)
    for _ in $(seq $((100 * ${HF_WAIT_S:-20}))); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
        sleep 0.01
    done
    echo "port $1 did not open" >&2; return 1
}
spawn() { # name cmd...: in the background, pid file
    local n=$1; shift
    mkdir -p "$RUN/$n"
    if [ "${HF_CMD:-}" = 1 ]; then printf '%s\n' "$*"; exit 0; fi
    ( trap '' HUP; pin "${HF_CPU:-}" ${HF_WRAP:-} "$@" ) >"$RUN/$n/out" 2>&1 </dev/null &
    echo $! > "$RUN/$n/pid"
}
# Whoever goes to 127.0.0.2:19443 is led to the transparent door. A table of its own, taken away with the peer.
lead() {
    printf '%s\n' 'table inet holdfast_bench' 'delete table inet holdfast_bench' 'table inet holdfast_bench { chain out {' \
        'type nat hook output priority -100; ip daddr 127.0.0.2 tcp dport 19443 redirect to :18446' '}' '}' | nft -f -
}
lua='lua-load-per-thread @RUN@/haproxy/dpop.lua'; lua=${lua//@RUN@/$RUN}
add='http-request set-header x-holdfast 0123456789abcdef0123456789abcdef'

start() {
    [ -d "$RUN/pki" ] || pki
    local n=$1
    case $n in
    origin)
        mkdir -p "$RUN/origin/www" "$RUN/origin/tmp"
        [ -f "$RUN/origin/www/64k" ] || head -c 65536 /dev/urandom > "$RUN/origin/www/64k"
        [ -f "$RUN/origin/www/1m" ] || head -c 1048576 /dev/urandom > "$RUN/origin/www/1m"
        [ -f "$RUN/origin/www/10m" ] || head -c 10485760 /dev/urandom > "$RUN/origin/www/10m"
        [ -f "$RUN/origin/www/1g" ] || truncate -s 1G "$RUN/origin/www/1g"
        chmod -R a+rX "$RUN/origin"; chmod 777 "$RUN/origin/tmp"
        fill "$here/peers/origin.nginx.conf.in" "$RUN/origin/nginx.conf" ORIGIN_WORKERS="${HF_ORIGIN_WORKERS:-1}"
        HF_CPU=${HF_ORIGIN_CPU:-} spawn origin nginx -c "$RUN/origin/nginx.conf"
        wait_port 19443
        echo "$(cat "$RUN/origin/pid") 19443 direct" ;;
    haproxy|haproxy-2t|haproxy-dpop|haproxy-h2|haproxy-h2h2)
        mkdir -p "$RUN/haproxy"
        local t=1 l='' a=$add
        local alpn=http/1.1
        [ "$n" = haproxy-2t ] && t=2
        local up=http/1.1 port=19443
        # A certificate that HAProxy generates is shown without ALPN: with h2 a fixed one is.
        local shown="crt $RUN/pki/default-both.pem generate-certificates ca-sign-file $RUN/pki/mitm-ca-both.pem"
        case $n in haproxy-h2*) alpn=h2,http/1.1 shown="crt $RUN/pki/leaf-both.pem" ;; esac
        [ "$n" = haproxy-h2h2 ] && up=h2 port=19444
        if [ "$n" = haproxy-dpop ]; then
            l=$lua; a='http-request lua.dpop'; fill "$here/peers/dpop.lua.in" "$RUN/haproxy/dpop.lua"
        fi
        fill "$here/peers/haproxy.cfg.in" "$RUN/haproxy/cfg" THREADS=$t LUA="$l" ADDHEADER="$a" ALPN="$alpn" UP="$up" PORT=$port SHOWN="$shown"
        spawn haproxy haproxy -db -f "$RUN/haproxy/cfg"
        wait_port 18443
        echo "$(cat "$RUN/haproxy/pid") 18443 via" ;;
    nginx|nginx-2w|nginx-buf|nginx-h2)
        mkdir -p "$RUN/nginx/tmp"; chmod 777 "$RUN/nginx/tmp"
        local t=1 b=off h2=
        [ "$n" = nginx-h2 ] && h2=http2
        [ "$n" = nginx-2w ] && t=2
        [ "$n" = nginx-buf ] && b=on
        fill "$here/peers/nginx.conf.in" "$RUN/nginx/nginx.conf" THREADS=$t BUFFERING=$b MODULES= H2=$h2
        spawn nginx nginx -c "$RUN/nginx/nginx.conf"
        wait_port 18443
        echo "$(cat "$RUN/nginx/pid") 18443 via" ;;
    holdfast|holdfast-2w|holdfast-transparent|holdfast-wpt|holdfast-dpop|holdfast-httpsig|holdfast-100k|holdfast-ledger|holdfast-wpt-ledger|holdfast-1kgrants|holdfast-10ktasks)
        mkdir -p "$RUN/holdfast"; chmod 755 "$RUN/holdfast"
        mkdir -p "$RUN/holdfast/run"; chown 64001 "$RUN/holdfast/run"
        local w='' threads=1 d='' l='off_because = "a benchmark: the peers record nothing either";'
        [ "$n" = holdfast-2w ] && threads=2
        [ "$n" = holdfast-transparent ] && d=', { kind = "transparent"; listen = "127.0.0.1:18446"; }'
        [ "${n%-ledger}" != "$n" ] && l="keep = \"$RUN/holdfast/ledger\";"
        [ "$n" = holdfast-dpop ] && w='credential = "token"; bind = ["dpop"]; inject = "always";'
        [ "$n" = holdfast-httpsig ] && w='credential = "bench"; bind = ["httpsig"]; inject = "always";'
        [ "${n%-ledger}" = holdfast-wpt ] && w='credential = "bench"; bind = ["wimse"]; inject = "always";'
        fill "$here/peers/holdfast.conf.in" "$RUN/holdfast/holdfast.conf" BIND="$w" WORKERS=$threads DOORS="$d" LEDGER="$l"
        rm -rf "$RUN/holdfast/conf.d" "$RUN/holdfast/ledger"  # a start reads the segment before
        [ "$n" = holdfast-100k ] && many_hosts 100000
        case $n in holdfast-1kgrants|holdfast-10ktasks) many_grants 1000 ;; esac
        spawn holdfast "${HF_HOLDFAST:-$here/../build/release/holdfast}" run -c "$RUN/holdfast/holdfast.conf"
        wait_port 18445
        if [ "$n" = holdfast-transparent ]; then
            lead
            echo "$(cat "$RUN/holdfast/pid") 18446 led"
            return
        fi
        [ "$n" = holdfast-10ktasks ] && /usr/bin/python3 "$here/start_tasks.py" "$RUN/holdfast/run/control" 10000 1000 >&2
        echo "$(cat "$RUN/holdfast/pid") 18445 proxy" ;;
    squid|squid-mimic)
        mkdir -p "$RUN/squid"; rm -rf "$RUN/squid/ssl_db"
        /usr/lib/squid/security_file_certgen -c -s "$RUN/squid/ssl_db" -M 64MB >/dev/null
        printf '127.0.0.1 origin.test\n' > "$RUN/squid/hosts"
        chown -R proxy "$RUN/squid"
        local b='ssl_bump bump all'            # client first: the leaf is made from the CONNECT name
        [ "$n" = squid-mimic ] && b=$'ssl_bump stare all_steps\nssl_bump bump all'
        fill "$here/peers/squid.conf.in" "$RUN/squid/conf" BUMP="$b"
        spawn squid squid -N -f "$RUN/squid/conf"
        wait_port 13128
        echo "$(cat "$RUN/squid/pid") 13128 proxy" ;;
    mitmproxy|mitmproxy-dpop)
        mkdir -p "$RUN/mitmproxy/conf"; cat "$RUN/pki/mitm-ca.key" "$RUN/pki/mitm-ca.pem" > "$RUN/mitmproxy/conf/mitmproxy-ca.pem"
        cp "$RUN/pki/mitm-ca.pem" "$RUN/mitmproxy/conf/mitmproxy-ca-cert.pem"
        local d=0; [ "$n" = mitmproxy-dpop ] && d=1
        HF_DPOP=$d spawn mitmproxy env HF_DPOP=$d /usr/bin/python3 /usr/bin/mitmdump -q --mode regular \
            --listen-host 127.0.0.1 -p 18088 --set confdir="$RUN/mitmproxy/conf" --set connection_strategy=lazy \
            --set ssl_verify_upstream_trusted_ca="$RUN/pki/origin-ca.pem" --set http2=false \
            -s "$here/peers/mitm_addon.py"
        wait_port 18088
        echo "$(cat "$RUN/mitmproxy/pid") 18088 proxy" ;;
    node|node-dpop)
        mkdir -p "$RUN/node"
        local d=0; [ "$n" = node-dpop ] && d=1
        spawn node env HF_DPOP=$d node "$here/peers/node-mitm.js"
        wait_port 18888
        echo "$(cat "$RUN/node/pid") 18888 proxy" ;;
    srt)
        spawn srt node "$here/peers/srt.mjs"
        wait_port 18889
        echo "$(cat "$RUN/srt/pid") 18889 proxy" ;;
    gomitm|gomitm-dpop)
        mkdir -p "$RUN/gomitm"
        [ -x "$RUN/gomitm/gomitm" ] && [ "$RUN/gomitm/gomitm" -nt "$here/peers/gomitm.go" ] ||
            GO111MODULE=off GOCACHE="$RUN/gomitm/cache" go build -o "$RUN/gomitm/gomitm" "$here/peers/gomitm.go"
        local d=0; [ "$n" = gomitm-dpop ] && d=1
        # one core is what HF_CPU gives: tell the Go scheduler, as a container's limit would
        if [ -n "${HF_CPU:-}" ]; then
            spawn gomitm env HF_DPOP=$d GOMAXPROCS=1 "$RUN/gomitm/gomitm"
        else
            spawn gomitm env HF_DPOP=$d "$RUN/gomitm/gomitm"
        fi
        wait_port 18890
        echo "$(cat "$RUN/gomitm/pid") 18890 proxy" ;;
    floor|floor-sign|floor-mint)
        mkdir -p "$RUN/floor"
        cc -O2 -o "$RUN/floor/floor" "$here/floor.c" -lssl -lcrypto
        local x=()
        [ "$n" = floor-sign ] && x=(-s "$RUN/pki/dpop.key")
        [ "$n" = floor-mint ] && x=(-m "$RUN/pki/mitm-ca.key" "$RUN/pki/mitm-ca.pem")
        spawn floor "$RUN/floor/floor" 18444 19443 "$RUN/pki/leaf.pem" "$RUN/pki/leaf.key" "$RUN/pki/origin-ca.pem" "${x[@]}"
        wait_port 18444
        echo "$(cat "$RUN/floor/pid") 18444 via" ;;
    *) echo "unknown peer $n" >&2; return 1 ;;
    esac
}

stop() {
    local n=$1 f
    case $n in haproxy*) f=$RUN/haproxy/pid ;; nginx*) f=$RUN/nginx/pid ;; squid*) f=$RUN/squid/pid ;;
    mitmproxy*) f=$RUN/mitmproxy/pid ;; node*) f=$RUN/node/pid ;; floor*) f=$RUN/floor/pid ;; holdfast*) f=$RUN/holdfast/pid ;; gomitm*) f=$RUN/gomitm/pid ;; *) f=$RUN/$n/pid ;; esac
    [ "$n" != holdfast-transparent ] || nft delete table inet holdfast_bench 2>/dev/null || true
    [ -f "$f" ] || return 0
    local p; p=$(cat "$f"); rm -f "$f"
    kill -TERM "$p" 2>/dev/null || return 0
    for _ in $(seq $((50 * ${HF_STOP_S:-4}))); do [ -e "/proc/$p/exe" ] || return 0; sleep 0.02; done
    kill -KILL "$p" 2>/dev/null || true
}

case ${1:-} in
install)
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nginx haproxy squid-openssl mitmproxy \
        lua-luaossl golang-go wrk nghttp2-client hyperfine stunnel4 xxd openssl libssl-dev libevent-dev gcc
    if [ "${2:-}" = --node ]; then
        mkdir -p "$(dirname "$HF_NODE_MODULES")"
        npm install --prefix "$(dirname "$HF_NODE_MODULES")" http-mitm-proxy @anthropic-ai/sandbox-runtime
    fi ;;
pki) pki ;;
start) shift; for n; do start "$n"; done ;;
cmd) HF_CMD=1 start "$2" ;;
stop) shift; for n; do stop "$n"; done ;;
list) echo "origin holdfast holdfast-2w holdfast-transparent holdfast-wpt holdfast-dpop holdfast-httpsig holdfast-100k holdfast-ledger holdfast-wpt-ledger holdfast-1kgrants holdfast-10ktasks haproxy haproxy-2t haproxy-dpop haproxy-h2 haproxy-h2h2 nginx nginx-2w nginx-buf nginx-h2 squid squid-mimic mitmproxy mitmproxy-dpop node node-dpop srt gomitm gomitm-dpop floor floor-sign floor-mint" ;;
*) sed -n '2,12p' "$0"; exit 2 ;;
esac
