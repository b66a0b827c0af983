#!/usr/bin/env bash
# A private PostgreSQL and Redis for tests and benchmarks, on free ports of the loopback, gone afterwards.
#   scripts/services.sh run COMMAND...   runs COMMAND with DATABASE_URL and REDIS_URL set
#   FSYNC=on scripts/services.sh ...     PostgreSQL waits for the disk, as in service (tests need not)
# Both come from the distribution's packages and are installed when they are missing and we may.
set -euo pipefail

find_postgres() { ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1; }

install_missing() {
  local wanted=()
  [ -n "$(find_postgres)" ] || wanted+=(postgresql)
  command -v redis-server >/dev/null || wanted+=(redis-server)
  [ ${#wanted[@]} -gt 0 ] || return 0
  "$(dirname "$0")/apt-install.sh" "the tests" "${wanted[@]}"
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# PostgreSQL refuses to run as root: use its own user then.
as_postgres() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }

[ "${1:-}" = run ] || { sed -n '2,5p' "$0" >&2; exit 2; }
shift
install_missing
bin=$(find_postgres)
folder=$(mktemp -d)
chmod 755 "$folder"
mkdir "$folder/pg"
if [ "$(id -u)" = 0 ]; then chown postgres "$folder/pg"; fi
pg_port=$(free_port)
redis_port=$(free_port)
redis_pid=
stop() {
  as_postgres "$bin/pg_ctl" -D "$folder/pg/data" -m immediate stop >/dev/null 2>&1 || true
  [ -z "$redis_pid" ] || kill "$redis_pid" 2>/dev/null || true
  rm -rf "$folder"
}
trap stop EXIT
cd "$folder"
as_postgres "$bin/initdb" -D "$folder/pg/data" -U blindspot -A trust -E UTF8 --no-sync >/dev/null
as_postgres "$bin/pg_ctl" -D "$folder/pg/data" -w -l "$folder/pg/log" \
  -o "-p $pg_port -h 127.0.0.1 -k $folder/pg -c fsync=${FSYNC:-off} -c max_connections=200" start >/dev/null
as_postgres "$bin/createdb" -h 127.0.0.1 -p "$pg_port" -U blindspot blindspot
redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no --dir "$folder" >"$folder/redis.log" 2>&1 &
redis_pid=$!
for _ in $(seq 50); do redis-cli -p "$redis_port" ping >/dev/null 2>&1 && break; sleep 0.1; done
cd "$OLDPWD"
export DATABASE_URL="postgres://blindspot@127.0.0.1:$pg_port/blindspot"
export REDIS_URL="redis://127.0.0.1:$redis_port/0"
"$@"
