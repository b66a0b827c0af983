#!/usr/bin/env bash
# A private PostgreSQL and Redis for tests and benchmarks, on free ports of the loopback, gone afterwards.
#   scripts/services.sh run COMMAND...   runs COMMAND with DATABASE_URL and REDIS_URL set
#   scripts/services.sh stop | start     in such a COMMAND: stops its PostgreSQL as an administrator would, or starts it
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

start_postgres() {
  as_postgres "$(find_postgres)/pg_ctl" -D "$SERVICES_FOLDER/pg/data" -w -l "$SERVICES_FOLDER/pg/log" -o \
    "-p $SERVICES_PORT -h 127.0.0.1 -k $SERVICES_FOLDER/pg -c fsync=${FSYNC:-off} -c max_connections=200" start >/dev/null
}
stop_postgres() {
  as_postgres "$(find_postgres)/pg_ctl" -D "$SERVICES_FOLDER/pg/data" -w -m "$1" stop >/dev/null
}

case "${1:-}" in
  run) ;;
  start) cd /; start_postgres; exit ;;
  stop) cd /; stop_postgres fast; exit ;;
  *) sed -n '2,6p' "$0" >&2; exit 2 ;;
esac
shift
install_missing
bin=$(find_postgres)
folder=$(mktemp -d)
chmod 755 "$folder"
mkdir "$folder/pg"
if [ "$(id -u)" = 0 ]; then chown postgres "$folder/pg"; fi
export SERVICES_FOLDER=$folder SERVICES_PORT
SERVICES_PORT=$(free_port)
redis_port=$(free_port)
redis_pid=
stop() {
  stop_postgres immediate 2>/dev/null || true
  [ -z "$redis_pid" ] || kill "$redis_pid" 2>/dev/null || true
  rm -rf "$folder"
}
trap stop EXIT
cd "$folder"
as_postgres "$bin/initdb" -D "$folder/pg/data" -U blindspot -A trust -E UTF8 --no-sync >/dev/null
start_postgres
as_postgres "$bin/createdb" -h 127.0.0.1 -p "$SERVICES_PORT" -U blindspot blindspot
redis-server --port "$redis_port" --bind 127.0.0.1 --save '' --appendonly no --dir "$folder" >"$folder/redis.log" 2>&1 &
redis_pid=$!
for _ in $(seq 50); do redis-cli -p "$redis_port" ping >/dev/null 2>&1 && break; sleep 0.1; done
cd "$OLDPWD"
export DATABASE_URL="postgres://blindspot@127.0.0.1:$SERVICES_PORT/blindspot"
export REDIS_URL="redis://127.0.0.1:$redis_port/0"
"$@"
