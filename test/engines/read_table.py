"""Responsible for reading the folder of a table with declared types: pyarrow, pandas, polars, DataFusion and delta-rs.

Usage: read_table.py READER, with {"folder", "columns": [[name, type]], "read": [name], "project"} on stdin. Prints a JSON object:
`rows` with the cells of `read` (times as ISO 8601 in UTC with milliseconds), and `found`, the number of rows of the partition
`prj` = project. delta-rs writes its metadata into the folder.
"""

import datetime
import json
import sys

import pyarrow as pa
import pyarrow.dataset as ds

task = json.load(sys.stdin)
folder, read, project = task["folder"], task["read"], task["project"]
types = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
columns = [(name, types[kind]) for name, kind in task["columns"]]
keys = [(name, pa.string()) for name in ("dt", "rgn", "prj")]


def open_dataset():
    schema = pa.schema(columns + keys)
    return ds.dataset(folder, schema=schema, partitioning=ds.partitioning(pa.schema(keys), flavor="hive"))


def read_pyarrow():
    dataset = open_dataset()
    return dataset.to_table(columns=read), dataset.count_rows(ds.field("prj") == project)


def read_pandas():
    import pandas as pd

    schema = pa.schema(columns + keys)
    partitioning = ds.partitioning(pa.schema(keys), flavor="hive")
    # types_mapper keeps integers with nulls, and null apart from an empty string.
    options = {"schema": schema, "partitioning": partitioning, "dtype_backend": "pyarrow"}
    frame = pd.read_parquet(folder, columns=read, **options)
    found = pd.read_parquet(folder, filters=[("prj", "==", project)], **options)
    return pa.Table.from_pandas(frame, preserve_index=False), len(found)


def read_polars():
    import polars as pl

    kinds = {
        "string": pl.String,
        "boolean": pl.Boolean,
        "int32": pl.Int32,
        "int64": pl.Int64,
        "timestamp": pl.Datetime("us", "UTC"),
    }
    frame = pl.scan_parquet(
        f"{folder}/**/*.parquet",
        schema={name: kinds[kind] for name, kind in task["columns"]},
        hive_schema={name: pl.String for name, _ in keys},
        missing_columns="insert",
        extra_columns="ignore",
    )
    found = frame.filter(pl.col("prj") == project).select(pl.len()).collect().item()
    return frame.select(read).collect().to_arrow(), found


def ask_sql(query):
    names = ", ".join(f'"{name}"' for name in read)
    [found] = query(f"SELECT count(*) AS found FROM t WHERE prj = '{project}'")["found"].to_pylist()
    return query(f"SELECT {names} FROM t"), found


def read_datafusion():
    from datafusion import SessionContext

    context = SessionContext()
    context.register_parquet("t", folder, schema=pa.schema(columns), table_partition_cols=keys)
    return ask_sql(lambda sql: context.sql(sql).to_arrow_table())


def read_deltalake():
    from deltalake import DeltaTable, Field, QueryBuilder, Schema, convert_to_deltalake

    partition = Schema([Field(name, "string") for name, _ in keys])
    convert_to_deltalake(folder, partition_by=partition, partition_strategy="hive")
    builder = QueryBuilder().register("t", DeltaTable(folder))
    return ask_sql(lambda sql: pa.table(builder.execute(sql).read_all()))


def to_json(cell):
    if isinstance(cell, datetime.datetime):
        utc = cell.astimezone(datetime.timezone.utc)
        return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return cell


readers = {
    "pyarrow": read_pyarrow,
    "pandas": read_pandas,
    "polars": read_polars,
    "datafusion": read_datafusion,
    "deltalake": read_deltalake,
}
table, found = readers[sys.argv[1]]()
cells = [[to_json(cell) for cell in table[name].to_pylist()] for name in read]
json.dump({"rows": list(zip(*cells)), "found": found}, sys.stdout)
