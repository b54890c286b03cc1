#!/bin/sh
# pack.sh ROOT: lays out under ROOT what the image consists of, out of the stage it was built in: two programs, the libraries they
# are linked with, the roots of public CAs, the names of two users. With them goes what a scanner reads to say which Debian packages
# these files are of. Every time stamp is the same, so that what was built alike is alike.
set -eu
root=$1
programs="/usr/bin/holdfast /usr/sbin/nft"

# place FILE: the same file at the same place; links become what they lead to.
place() {
    mkdir -p "$root$(dirname "$1")"
    cp -L --preserve=mode "$1" "$root$1"
}

# note FILE: its package, its licence. dpkg may know it by the name it had before /lib was in /usr.
note() {
    package=$( (dpkg -S "$1" || dpkg -S "/usr$1") 2>/dev/null | sed 's/:.*//; q')
    dpkg-query -s "$package" >"$root/var/lib/dpkg/status.d/$package"
    place "/usr/share/doc/$package/copyright"
}

# The linker's own name stands in ldd's answer without an arrow.
libraries=$(for program in $programs; do ldd "$program"; done | grep -o '/[^ ]*' | sort -u)

mkdir -p "$root/var/lib/dpkg/status.d" "$root/etc/holdfast/conf.d" "$root/run" "$root/var/lib"
for file in $programs $libraries /etc/ssl/certs/ca-certificates.crt /etc/os-release; do
    place "$file"
done
for file in /usr/sbin/nft $libraries /etc/os-release; do
    note "$file"
done
place /usr/share/doc/ca-certificates/copyright
place /usr/share/doc/holdfast/copyright
dpkg-query -s ca-certificates >"$root/var/lib/dpkg/status.d/ca-certificates"

# Holdfast, and whom its steering rules tell it apart from.
cat >"$root/etc/passwd" <<'X'
root:x:0:0:root:/:/sbin/nologin
workload:x:1000:1000:workload:/:/sbin/nologin
holdfast:x:1337:1337:holdfast:/:/sbin/nologin
X
cat >"$root/etc/group" <<'X'
root:x:0:
workload:x:1000:
holdfast:x:1337:
X

# What Holdfast writes, and whoever mounts a volume there: a fresh one takes on owner and mode of the place.
for place in 0711:/run/holdfast 0755:/run/holdfast/public 0700:/var/lib/holdfast; do
    install -d -m "${place%%:*}" -o 1337 -g 1337 "$root${place#*:}"
done
find "$root" -exec touch -h -d "@${SOURCE_DATE_EPOCH:-0}" {} +
