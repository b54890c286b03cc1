#!/bin/sh
# install.sh LIST: installs the packages of LIST, one a line. An image that has them already needs no network.
set -eu

wanted=$(grep -v -e '^#' -e '^$' "$1")
# shellcheck disable=SC2086 # words, one a package
if ! dpkg -s $wanted >/dev/null 2>&1; then
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $wanted
    rm -rf /var/lib/apt/lists/*
fi
