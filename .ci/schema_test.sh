# Tests a running server against its own description; to be sourced. Needs `python` to name the folder of the tests'
# Python environment.
#
# Requests are generated from `/api/schema/`. There must be no 5xx, no status that the description lacks, and no answer
# of another form than it says. Bounded in time; what one run does not reach another one may.

# How long requests are made, seconds.
schema_test_secs="${SCHEMA_TEST_SECS:-150}"

schema_test() {
    local tester="$python/bin/schemathesis" server
    server="$(realpath "${CARGO_TARGET_DIR:-target}/debug/timberline")"
    if [ ! -x "$tester" ]; then
        printf 'SKIPPED: the schema test needs schemathesis: %s/bin/pip install schemathesis==4.32.5\n' "$python"
        return 0
    fi
    local folder port key result=0
    folder="$(mktemp -d)"
    port="$("$python/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
    # The variables of other tests are no settings.
    key="$(env -i "$server" init --data-dir "$folder/data" --json |
        "$python/bin/python" -c 'import json, sys; print(json.load(sys.stdin)["personal_api_key"])')"
    env -i TIMBERLINE_ENGINE__WAL_SEGMENT_BYTES=1MiB "$server" serve --data-dir "$folder/data" \
        --listen "127.0.0.1:$port" 2>"$folder/log" >/dev/null &
    local process=$!
    # What would end the test itself, or never ends, is left out: the project, the organization and the live tail.
    # It keeps notes in the folder where it runs.
    local config="$PWD/.ci/schemathesis.toml"
    (cd "$folder" && "$tester" --config-file "$config" run "http://127.0.0.1:$port/api/schema/" \
        --wait-for-schema 60 --max-time "$schema_test_secs" --phases examples,coverage,fuzzing \
        --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
        --header "Authorization:Bearer $key" --max-examples 25 --request-timeout 30 --suppress-health-check all \
        --exclude-operation-id delete_projects_by_id --exclude-operation-id delete_organizations_by_id \
        --exclude-operation-id get_projects_logs_tail --continue-on-failure --no-shrink --seed 1 \
        --warnings off) || result=$?
    kill "$process"
    wait "$process" || true
    if [ "$result" != 0 ]; then tail -n 20 "$folder/log"; fi
    rm -rf "$folder"
    return "$result"
}
