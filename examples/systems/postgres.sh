#!/bin/sh
# A PostgreSQL of its own on loopback: postgres.sh PORT FOLDER. Everybody on this machine may be its user postgres.
# It refuses to be root: where that is who runs it, it is somebody else in a namespace, and its files stay root's.
set -eu
port=$1
folder=$2/postgres
bin=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
PATH=${bin:+$bin:}$PATH
if [ "$(id -u)" = 0 ] && [ "${FIREDRILL_POSTGRES:-}" != inside ]; then
  exec env FIREDRILL_POSTGRES=inside unshare --user --map-user=1000 --map-group=1000 -- "$0" "$@"
fi
export HOME=$2 PGUSER=postgres
[ -s "$folder/PG_VERSION" ] ||
  initdb --no-sync --auth=trust --username=postgres --encoding=UTF8 --locale=C -D "$folder" >/dev/null
exec postgres -D "$folder" -p "$port" -c listen_addresses=127.0.0.1 -c "unix_socket_directories=$folder" \
  -c fsync=off -c max_connections=100
