#!/usr/bin/env bash
# The tests of a wrong clock use the distribution's libfaketime; it is installed when it is missing and we may.
#   scripts/install-faketime.sh          prints the library's path
set -eu
find_library() { ls /usr/lib/*/faketime/libfaketimeMT.so.1 /usr/lib/faketime/libfaketimeMT.so.1 2>/dev/null | head -n 1; }
if [ -z "$(find_library)" ]; then
  as_root=()
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "libfaketime is missing and this user may not install it: run 'apt-get install faketime' as root." >&2
      exit 1
    fi
    as_root=(sudo)
  fi
  echo "Installing libfaketime for the tests." >&2
  "${as_root[@]}" apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends libfaketime >&2
fi
find_library
