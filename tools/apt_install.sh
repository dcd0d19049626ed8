#!/bin/sh
# usage: apt_install.sh REASON PACKAGE...
# Installs Debian packages where that needs no password; else says what to run, and fails.
set -eu
reason=$1
shift

if ! command -v apt-get >/dev/null 2>&1; then
    echo "$reason. There is no apt-get here: install the counterpart of: $*" >&2
    exit 1
fi
if [ "$(id -u)" -eq 0 ]; then
    as_root=env
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root='sudo -n env'
else
    echo "$reason. Run: sudo apt-get install $*" >&2
    exit 1
fi

echo "$reason: installing $*"
run() { $as_root DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" </dev/null; }
# The lists of a new machine are empty, and those of an old one name versions that are gone.
run update
if ! output=$(run install --yes --no-install-recommends "$@" 2>&1); then
    echo "$output" >&2
    echo "$reason, and apt-get could not install $*" >&2
    exit 1
fi
