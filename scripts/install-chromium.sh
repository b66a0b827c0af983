#!/usr/bin/env bash
# The browser tests use the distribution's Chromium; it is installed when it is missing and we may.
set -eu
for browser in chromium chromium-browser; do
  if command -v "$browser" >/dev/null; then exit 0; fi
done
"$(dirname "$0")/apt-install.sh" "the browser tests" chromium fonts-dejavu-core
