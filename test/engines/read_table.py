"""Responsible for reading the folder of a table with declared types: pyarrow, pandas, polars, DataFusion and delta-rs.

Usage: read_table.py READER, with a JSON array of {"folder", "columns": [[name, type]], "read": [name], "project"} on stdin. Prints
a JSON array with an object for each: `rows` with the cells of `read` (times as ISO 8601 in UTC with milliseconds, whole numbers
that a double cannot hold as text), and `found`, the number of rows of the partition `prj` = project. delta-rs writes its metadata
into the folder.
"""

import datetime
import json
import sys

import pyarrow as pa
import pyarrow.dataset as ds

types = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
keys = [(name, pa.string()) for name in ("dt", "rgn", "prj")]


def declare(task):
    return [(name, types[kind]) for name, kind in task["columns"]]


def open_dataset(task):
    schema = pa.schema(declare(task) + keys)
    return ds.dataset(task["folder"], schema=schema, partitioning=ds.partitioning(pa.schema(keys), flavor="hive"))


def read_pyarrow(task):
    dataset = open_dataset(task)
    return dataset.to_table(columns=task["read"]), dataset.count_rows(ds.field("prj") == task["project"])


def read_pandas(task):
    import pandas as pd

    schema = pa.schema(declare(task) + keys)
    partitioning = ds.partitioning(pa.schema(keys), flavor="hive")
    # types_mapper keeps integers with nulls, and null apart from an empty string.
    options = {"schema": schema, "partitioning": partitioning, "dtype_backend": "pyarrow"}
    frame = pd.read_parquet(task["folder"], columns=task["read"], **options)
    found = pd.read_parquet(task["folder"], filters=[("prj", "==", task["project"])], **options)
    return pa.Table.from_pandas(frame, preserve_index=False), len(found)


def read_polars(task):
    import polars as pl

    kinds = {
        "string": pl.String,
        "boolean": pl.Boolean,
        "int32": pl.Int32,
        "int64": pl.Int64,
        "timestamp": pl.Datetime("us", "UTC"),
    }
    frame = pl.scan_parquet(
        f"{task['folder']}/**/*.parquet",
        schema={name: kinds[kind] for name, kind in task["columns"]},
        hive_schema={name: pl.String for name, _ in keys},
        missing_columns="insert",
        extra_columns="ignore",
    )
    found = frame.filter(pl.col("prj") == task["project"]).select(pl.len()).collect().item()
    return frame.select(task["read"]).collect().to_arrow(), found


def ask_sql(task, query):
    names = ", ".join(f'"{name}"' for name in task["read"])
    [found] = query(f"SELECT count(*) AS found FROM t WHERE prj = '{task['project']}'")["found"].to_pylist()
    return query(f"SELECT {names} FROM t"), found


def read_datafusion(task):
    from datafusion import SessionContext

    context = SessionContext()
    context.register_parquet("t", task["folder"], schema=pa.schema(declare(task)), table_partition_cols=keys)
    return ask_sql(task, lambda sql: context.sql(sql).to_arrow_table())


def read_deltalake(task):
    from deltalake import DeltaTable, Field, QueryBuilder, Schema, convert_to_deltalake

    partition = Schema([Field(name, "string") for name, _ in keys])
    convert_to_deltalake(task["folder"], partition_by=partition, partition_strategy="hive")
    builder = QueryBuilder().register("t", DeltaTable(task["folder"]))
    return ask_sql(task, lambda sql: pa.table(builder.execute(sql).read_all()))


def to_json(cell):
    if isinstance(cell, datetime.datetime):
        utc = cell.astimezone(datetime.timezone.utc)
        return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(cell, int) and abs(cell) > 2**53 - 1:
        return str(cell)
    return cell


def read_task(task):
    table, found = readers[sys.argv[1]](task)
    cells = [[to_json(cell) for cell in table[name].to_pylist()] for name in task["read"]]
    return {"rows": list(zip(*cells)), "found": found}


readers = {
    "pyarrow": read_pyarrow,
    "pandas": read_pandas,
    "polars": read_polars,
    "datafusion": read_datafusion,
    "deltalake": read_deltalake,
}
json.dump([read_task(task) for task in json.load(sys.stdin)], sys.stdout)
