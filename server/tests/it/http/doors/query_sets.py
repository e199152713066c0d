"""Asks every query of `queries/` with clients of others, and an engine of others, and compares the answers.

Arguments: the folder of the queries, the HTTP address, the key, the address of Flight SQL, the port of the PostgreSQL
protocol. Through every door the answer has to be the one that `queries/golden/` holds, which has to be the one that
DuckDB gives for the same rows.
"""

import csv
import datetime
import decimal
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unicodedata
import urllib.request

import adbc_driver_flightsql.dbapi as flight
import duckdb
import psycopg
import pyarrow
from adbc_driver_flightsql import DatabaseOptions

folder, http, key, flight_uri, postgres_port = sys.argv[1:]
folder = pathlib.Path(folder)


def canonical(value):
    """A value, or its text, in a form that is the same for every client."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float, decimal.Decimal)):
        return number(value)
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.timezone.utc).isoformat()
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).hex()
    return canonical_text(str(value).strip())


def canonical_text(text):
    if text in ("t", "f"):
        return {"t": "true", "f": "false"}[text]
    if re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", text):
        return number(text)
    if re.fullmatch(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00|\+00:00)", text):
        return canonical(datetime.datetime.fromisoformat(re.sub(r"(Z|\+00)$", "+00:00", text)))
    if text.startswith("\\x"):
        return text[2:]
    if text[:1] in ("{", "["):
        try:
            return json.dumps(json.loads(text), sort_keys=True)
        except ValueError:
            return text
    return text


def number(value):
    return f"{float(value):.10g}"


def table(rows):
    return [[canonical(value) for value in row] for row in rows]


def of_arrow(rows):
    columns = [column.to_pylist() for column in rows.columns]
    return table(zip(*columns)) if columns else []


def golden(path):
    """The rows of a table that is drawn with characters; wide ones take two places."""
    lines = path.read_text().splitlines()
    edges = [place for place, character in enumerate(lines[0]) if character == "+"]

    def cells(line):
        spread = ""
        for character in line:
            is_wide = unicodedata.east_asian_width(character) in "WF"
            spread += character + ("\0" if is_wide else "")
        between = zip(edges, edges[1:])
        return [spread[begin + 1 : end].replace("\0", "").strip() for begin, end in between]

    return table(cells(line) for line in lines[3:-1])


def over_http(sql, form):
    body = json.dumps({"query": sql, "format": form}).encode()
    headers = {"Authorization": "Bearer " + key, "Content-Type": "application/json"}
    request = urllib.request.Request(http + "/api/projects/1/sql", body, headers)
    with urllib.request.urlopen(request) as answer:
        return answer.read()


def ask_http(sql):
    with pyarrow.ipc.open_stream(over_http(sql, "arrow")) as stream:
        return of_arrow(stream.read_all())


def ask_flight(sql):
    with flight_connection.cursor() as cursor:
        cursor.execute(sql)
        return of_arrow(cursor.fetch_arrow_table())


def ask_psycopg(sql):
    return table(postgres_connection.execute(sql, binary=True).fetchall())


def ask_psql(sql):
    arguments = ["psql", "-h", "127.0.0.1", "-p", postgres_port, "-U", "anybody", "-d", "1", "-X", "--csv", "-c", sql]
    environment = dict(os.environ, PGPASSWORD=key)
    printed = subprocess.run(arguments, env=environment, capture_output=True, text=True)
    assert printed.returncode == 0, printed.stderr
    return table(list(csv.reader(io.StringIO(printed.stdout)))[1:])


MACROS = r"""
SET TimeZone = 'UTC';
SET default_null_order = 'nulls_last_on_asc_first_on_desc';
CREATE MACRO bucket(width, moment) AS time_bucket(CAST(width AS INTERVAL), moment, TIMESTAMPTZ '1970-01-01 00:00:00+00');
CREATE MACRO regexp_like(body, pattern) AS regexp_matches(body, pattern),
    (body, pattern, flags) AS regexp_matches(body, pattern, flags);
CREATE MACRO regexp_match(body, pattern) AS
    CASE WHEN regexp_matches(body, pattern) THEN [regexp_extract(body, pattern, 1)] END;
CREATE MACRO json_part(body, path) AS CASE WHEN json_valid(body) THEN json_extract_string(body, path) END;
CREATE MACRO json_number(body, key) AS TRY_CAST(json_part(body, '$.' || key) AS DOUBLE);
CREATE MACRO attribute_number(attributes, key) AS TRY_CAST(attributes[key] AS DOUBLE);
CREATE MACRO attribute_boolean(attributes, key) AS TRY_CAST(attributes[key] AS BOOLEAN);
CREATE MACRO parse_severity(word) AS CASE word
    WHEN 'WARN' THEN 'warn' WHEN 'WARNING' THEN 'warn' WHEN 'ERROR' THEN 'error'
    WHEN 'CRITICAL' THEN 'fatal' WHEN 'FATAL' THEN 'fatal' END;
"""

# What DuckDB calls otherwise, as patterns and what stands in their places.
TRANSLATIONS = [
    (r"date_bin\(", "bucket("),
    (r"time_bucket\('15m'", "bucket('15 minutes'"),
    (r"time_bucket\(", "bucket("),
    (r"encode\((\w+), 'hex'\)", r"lower(hex(\1))"),
    (r"X'(0+)'", r"unhex('\1')"),
    (r"<> '(0{32})'", r"<> unhex('\1')"),
    (r"octet_length\(", "strlen("),
    (r"(\w+(?:\.\w+)?) ->> '(\w+)'", r"json_part(\1, '$.\2')"),
    (r"json_text\((\w+), 'changes', 0, '(\w+)'\)", r"json_part(\1, '$.changes[0].\2')"),
    (r"template\(body\)", "body_template"),
    (r"approx_distinct\((.+?)\) AS", r"count(DISTINCT \1) AS"),
    (r"array_sort\(", "list_sort("),
    (r"AS at FROM", "AS latest FROM"),
    (r"SELECT at FROM", "SELECT latest FROM"),
]
# Their answers depend on how an engine estimates.
NOT_OF_DUCKDB = {"traffic/03_how_slow_is_the_slowest_twentieth"}


def duckdb_over_the_same_rows():
    engine = duckdb.connect()
    with tempfile.TemporaryDirectory() as copies:
        for name, sql in [
            # How templates are made is the server's own; everything around them is compared.
            ("logs", "SELECT *, template(body) AS body_template FROM logs"),
            ("activity", "SELECT * FROM activity"),
        ]:
            path = pathlib.Path(copies) / (name + ".parquet")
            path.write_bytes(over_http(sql, "parquet"))
            engine.execute(f"CREATE TABLE {name} AS SELECT * FROM read_parquet('{path}')")
    engine.execute(MACROS)
    return engine


def ask_duckdb(sql):
    for pattern, replacement in TRANSLATIONS:
        sql = re.sub(pattern, replacement, sql)
    return of_arrow(engine.sql(sql).to_arrow_table())


def main():
    doors = [("HTTP", ask_http), ("Flight SQL", ask_flight), ("psycopg", ask_psycopg), ("psql", ask_psql)]
    wrong, num_queries = [], 0
    for path in sorted(folder.glob("*/*.sql")):
        name = f"{path.parent.name}/{path.stem}"
        expected = golden(folder / "golden" / (name + ".txt"))
        num_queries += 1
        for door, ask in doors + [("DuckDB", ask_duckdb)]:
            if door == "DuckDB" and name in NOT_OF_DUCKDB:
                continue
            try:
                answer = ask(path.read_text())
            except Exception as error:
                answer = f"{type(error).__name__}: {error}"
            if answer != expected:
                wrong.append(f"{name} by {door}:\n  {answer}\ninstead of\n  {expected}")
    assert num_queries > 30, num_queries
    assert not wrong, "\n".join(wrong)


bearer = {DatabaseOptions.AUTHORIZATION_HEADER.value: "Bearer " + key}
flight_connection = flight.connect(flight_uri, db_kwargs=bearer, autocommit=True)
postgres_connection = psycopg.connect(
    host="127.0.0.1", port=postgres_port, user="anybody", password=key, dbname="1", autocommit=True
)
engine = duckdb_over_the_same_rows()
with flight_connection, postgres_connection, engine:
    main()
print("done")
