"""Reads the data files of a folder with DuckDB and with pyarrow and prints every row as JSON, one a line.

    python3 outside_reader.py duckdb|pyarrow logs|activity FOLDER

Knows of the layout what engine/LAYOUT.md says and nothing else: attributes stand in the maps or, promoted, in
columns named after the map, a slash and the key; ids are null when unset; the observed time is a delay.
"""

import glob
import json
import sys

MAPS = ["attributes", "resource_attributes"]


def duckdb_rows(files):
    import duckdb

    query = duckdb.sql(f"SELECT * FROM read_parquet({files!r}, union_by_name = true, hive_partitioning = false)")
    names = query.columns
    times = [name for name in names if name.endswith("timestamp")]
    exact = ", ".join(f"epoch_us({name}) AS {name}" for name in times)
    query = duckdb.sql(f"SELECT * REPLACE ({exact}) FROM query")
    for values in query.fetchall():
        yield dict(zip(names, values))


def pyarrow_rows(files):
    import pyarrow.parquet as parquet

    for file in files:
        for batch in parquet.ParquetFile(file).iter_batches():
            for row in batch.to_pylist(maps_as_pydicts="strict"):
                for name, value in row.items():
                    if name.endswith("timestamp"):
                        row[name] = round(value.timestamp() * 1_000_000)
                yield row


def whole(row):
    """A row with its promoted attributes put back into the maps."""
    plain = {name: value for name, value in row.items() if "/" not in name}
    for name in MAPS:
        plain[name] = dict(plain[name] or {})
    for name, value in row.items():
        if "/" in name and value is not None:
            of_map, key = name.split("/", 1)
            plain[of_map][key] = value
    plain["observed_timestamp"] = plain["timestamp"] + plain.pop("observed_delay_us")
    for name, width in [("uuid", 16), ("trace_id", 16), ("span_id", 8)]:
        plain[name] = bytes(plain[name] or bytes(width)).hex()
    return plain


def entry(row):
    """An entry of the audit trail, with its bytes as text."""
    return {name: value.hex() if isinstance(value, bytes) else value for name, value in row.items()}


def main():
    reader, dataset, folder = sys.argv[1:]
    files = sorted(glob.glob(f"{folder}/{dataset}/**/*.parquet", recursive=True))
    rows = {"duckdb": duckdb_rows, "pyarrow": pyarrow_rows}[reader]
    written = {"logs": whole, "activity": entry}[dataset]
    for row in rows(files):
        print(json.dumps(written(row)))


main()
