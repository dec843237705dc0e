"""Responsible for reading the Parquet files of one folder with pyarrow, DataFusion and delta-rs, each as one table.

Usage: read.py FOLDER. Prints one JSON object: by reader, the rows as arrays (timestamps as milliseconds) or the error; and by
file what pyarrow finds in its footer. Writes Delta metadata into the folder.
"""

import json
import pathlib
import sys

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from datafusion import SessionContext
from deltalake import DeltaTable, QueryBuilder, convert_to_deltalake

folder = sys.argv[1]


def read_pyarrow():
    return ds.dataset(folder, format="parquet").to_table()


def read_datafusion():
    context = SessionContext()
    context.register_parquet("t", folder)
    return context.sql("SELECT * FROM t").to_arrow_table()


def read_delta():
    convert_to_deltalake(folder)
    table = QueryBuilder().register("t", DeltaTable(folder)).execute("SELECT * FROM t")
    return pa.table(table.read_all())


def to_rows(table):
    columns = []
    for column in table.columns:
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.int64())
            columns.append([None if us is None else us // 1000 for us in column.to_pylist()])
        else:
            columns.append(column.to_pylist())
    return sorted(zip(*columns), key=lambda row: row[table.column_names.index("host_id")])


def read(reader):
    try:
        return {"rows": to_rows(reader())}
    except Exception as error:  # The test expects an error for one of the folders.
        return {"error": str(error)}


def describe(path):
    footer = pq.read_metadata(path)
    groups = [footer.row_group(i) for i in range(footer.num_row_groups)]
    key = footer.schema.names.index("host_id")
    return {
        "createdBy": footer.created_by,
        "metadata": {k.decode(): v.decode() for k, v in (footer.metadata or {}).items()},
        "sorting": [
            [[s.column_index, s.descending, s.nulls_first] for s in group.sorting_columns]
            for group in groups
        ],
        "bounds": [
            [group.column(key).statistics.min, group.column(key).statistics.max] for group in groups
        ],
    }


def explain_sorted(path):
    """DataFusion's plan for the rows in the order of host_id, which needs no sort if it trusts the footer."""
    context = SessionContext()
    context.register_parquet("t", str(path))
    plan = context.sql("EXPLAIN SELECT host_id FROM t ORDER BY host_id").to_arrow_table()
    return plan.to_pydict()["plan"][-1]


files = sorted(pathlib.Path(folder).glob("*.parquet"))
readers = {"pyarrow": read_pyarrow, "datafusion": read_datafusion, "deltalake": read_delta}
print(
    json.dumps(
        {
            "readers": {name: read(reader) for name, reader in readers.items()},
            "files": {path.name: describe(path) for path in files},
            "plans": {path.name: explain_sorted(path) for path in files[-1:]},
        }
    )
)
