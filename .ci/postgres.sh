# Starts a PostgreSQL server for the tests of one run; to be sourced.
#
# It listens on the loopback address only, keeps everything in a folder of its own, and ends with the shell.
# Sets TIMBERLINE_TEST_POSTGRES_URL.

postgres_folder=""

# PostgreSQL refuses to run as root: then it runs as the user that its package makes.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

find_postgres() {
    find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1
}

start_postgres() {
    local bin port
    bin="$(find_postgres)"
    if [ -z "$bin" ]; then
        apt-get update
        apt-get install -y --no-install-recommends postgresql
        bin="$(find_postgres)"
    fi
    postgres_folder="$(mktemp -d)"
    if [ "$(id -u)" = 0 ]; then chown postgres "$postgres_folder"; fi
    trap stop_postgres EXIT
    port="$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
    as_postgres "$bin/initdb" --pgdata "$postgres_folder/data" --username timberline --auth trust --no-sync >/dev/null
    # Losing the tests' databases when the machine stops is no loss.
    as_postgres "$bin/pg_ctl" --pgdata "$postgres_folder/data" --log "$postgres_folder/log" --wait start --options \
        "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$postgres_folder -c fsync=off" >/dev/null
    postgres_stop="$bin/pg_ctl"
    export TIMBERLINE_TEST_POSTGRES_URL="postgres://timberline@127.0.0.1:$port/postgres"
}

stop_postgres() {
    if [ -n "${postgres_stop:-}" ]; then
        as_postgres "$postgres_stop" --pgdata "$postgres_folder/data" --mode immediate stop >/dev/null || true
    fi
    rm -rf "$postgres_folder"
}
