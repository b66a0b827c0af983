#!/usr/bin/env bash
# What must be on the machine before anything else; each absence in one line.
set -u
python=${1:-python3}
missing=0
say() { echo "$1" >&2; missing=1; }
command -v git >/dev/null || say "git is missing: apt-get install git"
if ! command -v "$python" >/dev/null; then
  say "$python is missing: apt-get install python3 python3-venv (3.11 or newer), or make PYTHON=/path/to/python3.11"
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
  say "$python is $("$python" -V 2>&1), but 3.11 or newer is needed: install one and run make PYTHON=/path/to/python3.11"
elif ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
  say "Python's venv module is missing: apt-get install python3-venv"
fi
exit $missing
