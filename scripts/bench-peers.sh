#!/bin/bash
# The peers of benchmarks/attacks.py in an environment of their own, .venv-bench, that sees everything in .venv.
#   scripts/bench-peers.sh [PYTHON OF .venv]
set -euo pipefail
cd "$(dirname "$0")/.."
python="${1:-.venv/bin/python}"
if [ .venv-bench/installed -nt requirements-bench.txt ]; then exit 0; fi
"$python" -m venv .venv-bench
site=$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$site" > "$(.venv-bench/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/project.pth"
pip=(.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check)
# setuptools first: adv-lib is built from source with a version before 81. No dependencies: torchattacks would pin an
# old requests, and torch is in .venv already.
"${pip[@]}" 'setuptools<81' wheel
"${pip[@]}" --no-deps --no-build-isolation --require-hashes -r requirements-bench.txt
touch .venv-bench/installed
