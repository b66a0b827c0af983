#!/usr/bin/env bash
# The browser tests use the distribution's Chromium; it is installed when it is missing and we may.
set -eu
for browser in chromium chromium-browser; do
  if command -v "$browser" >/dev/null; then exit 0; fi
done
as_root=()
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "Chromium is missing and this user may not install it: run 'apt-get install chromium' as root." >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "Installing Chromium for the browser tests." >&2
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core
