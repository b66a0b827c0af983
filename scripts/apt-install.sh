#!/usr/bin/env bash
# Installs packages of the distribution when we may: as root, or with sudo. Otherwise says what to run, and ends with 1.
#   scripts/apt-install.sh WHY PACKAGE...    WHY is what needs them, such as "the browser tests"
set -eu
why=$1
shift
as_root=()
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "Missing for $why: $*. Run 'apt-get install $*' as root." >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "Installing $* for $why." >&2
"${as_root[@]}" apt-get update -qq >&2
# A server that is installed would start at once; tests bring their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
  "${as_root[@]}" chmod +x "$policy"
fi
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2
