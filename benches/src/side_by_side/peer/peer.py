"""One peer engine in this process: reads a JSON request per line, answers with a JSON line.

    {"sql": "..."}  ->  {"ms": 1.5, "rows": [["..."]]}  or  {"error": "..."}

The time is that of the engine with its whole answer fetched, and of nothing else.
The arguments are the engine and a folder to keep its files in.
"""

import json
import os
import sys
import time


def clickhouse(folder):
    import chdb
    from chdb import session

    connection = session.Session(os.path.join(folder, "clickhouse"))

    def run(sql):
        started = time.perf_counter()
        text = connection.query(sql, "JSONCompact").bytes()
        elapsed = time.perf_counter() - started
        return elapsed, json.loads(text)["data"] if text else []

    return run, "ClickHouse " + run("SELECT version()")[1][0][0] + " (chdb " + chdb.__version__ + ")"


def duckdb(folder):
    import duckdb

    connection = duckdb.connect(os.path.join(folder, "duckdb.db"))

    def run(sql):
        started = time.perf_counter()
        rows = connection.execute(sql).fetchall()
        elapsed = time.perf_counter() - started
        return elapsed, rows

    return run, "DuckDB " + duckdb.__version__


def main():
    run, version = {"clickhouse": clickhouse, "duckdb": duckdb}[sys.argv[1]](sys.argv[2])
    # What an engine prints itself must not stand between the answers.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print(json.dumps({"version": version}), file=out, flush=True)
    for line in sys.stdin:
        try:
            elapsed, rows = run(json.loads(line)["sql"])
            answer = {"ms": elapsed * 1000, "rows": [[str(cell) for cell in row] for row in rows]}
        except Exception as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), file=out, flush=True)


main()
