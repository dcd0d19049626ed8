#!/bin/sh
# usage: install_browser.sh
# Gets the browser that the operator panel is tested in, where that needs no password. Without it
# those tests skip, saying so.
set -eu
here=$(dirname "$0")

there() {
    command -v "$1" >/dev/null 2>&1
}
if there chromedriver && { there chromium || there google-chrome; }; then
    exit 0
fi
"$here/apt_install.sh" 'The operator panel is tested in a browser' chromium chromium-driver ||
    echo 'There is no browser: the tests that need one will skip.' >&2
