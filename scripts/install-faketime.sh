#!/usr/bin/env bash
# Prints the path of the distribution's libfaketime, with which tests set a wrong clock; installs it where it is missing and we may.
set -eu
find_library() { ls /usr/lib/*/faketime/libfaketimeMT.so.1 /usr/lib/faketime/libfaketimeMT.so.1 2>/dev/null | head -n 1; }
[ -n "$(find_library)" ] || "$(dirname "$0")/apt-install.sh" "the tests of a wrong clock" libfaketime >&2
find_library
