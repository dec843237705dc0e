"""Responsible for the Iceberg tables: schema, partitions and properties. Not responsible for what is committed."""

import pyarrow.parquet as pq
from pyiceberg.exceptions import BadRequestError, NoSuchTableError, TableAlreadyExistsError
from pyiceberg.io.pyarrow import pyarrow_to_schema
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.table.name_mapping import MappedField, NameMapping
from pyiceberg.transforms import DayTransform, IdentityTransform

from cgs_lake.failure import Failure

# Properties that say what a table is made of: the dataset, the store and its table, and the role (rows, changes
# or snapshots).
DATASET, STORE, SOURCE, ROLE = "cgs-export.dataset", "cgs-export.store", "cgs-export.table", "cgs-export.role"
PARTITIONS = (
    ("snapshot_at", DayTransform(), "snapshot_day"),
    ("region", IdentityTransform(), "region"),
    ("project_id", IdentityTransform(), "project_id"),
)
PROPERTIES = {
    # The files belong to the store, which must keep them. Without this, Spark's expire_snapshots would delete them.
    "gc.enabled": "false",
    # Whole texts as bounds, so that a delete of one snapshot can tell from them that a file has no other rows.
    "write.metadata.metrics.column.region": "full",
    "write.metadata.metrics.column.project_id": "full",
}
# The files of this table are its own, small and many. Without partitions, a commit for many targets is one file.
SNAPSHOTS_PROPERTIES = {"commit.manifest-merge.enabled": "true"}


def load_table(catalog, name, source, role):
    """Return the table, or None if there is none. Raise USAGE if it was created for something else than `source`."""
    try:
        table = catalog.load_table(name)
    except NoSuchTableError:
        return None
    # PyIceberg would repeat a lost commit without asking whether it is still right: see committing.py.
    table.metadata.properties["commit.retry.num-retries"] = "0"
    refuse_inside(source.store, table.location())
    refuse_other(table.properties, name, describe(source, role))
    return table


def describe(source, role):
    """The properties that say what a table is made of. No dataset: no manifest of the store can be read."""
    wanted = {STORE: source.store.url, SOURCE: source.table, ROLE: role}
    return {**wanted, DATASET: source.dataset} if source.dataset else wanted


def refuse_other(properties, name, wanted):
    if ROLE not in properties:
        text, other = "was created by another program", "Use another --table."
    elif properties.get(STORE) != wanted[STORE]:
        text = f"has the files of the store {properties.get(STORE)}, and --store is {wanted[STORE]}"
        other = "Use another --table for each store. If the store has moved, commit it into a new table."
    elif differences := {key: properties.get(key) for key, value in wanted.items() if properties.get(key) != value}:
        text = "has other content: " + ", ".join(f"{key} is {value}" for key, value in differences.items())
        other = "Use another --table: this program creates three for each table of the store."
    else:
        return
    raise Failure("USAGE", f"The table {name} exists, and {text}.", other)


def refuse_inside(store, location):
    if store.contains(location):
        raise Failure(
            "USAGE",
            f"The table would write into {location}, which is in the store {store.url}.",
            "Configure a warehouse outside of the store: `cgs-export verify` reports foreign objects in it.",
        )


def create_table(catalog, name, schema, source, role):
    """Create a table, if no other process is faster."""
    refuse_inside(source.store, catalog.properties.get("warehouse", ""))
    has_files = role != "snapshots"
    spec = PartitionSpec(
        *(
            PartitionField(schema.find_field(column).field_id, 1000 + place, transform, field)
            for place, (column, transform, field) in enumerate(PARTITIONS if has_files else ())
        )
    )
    try:
        catalog.create_namespace_if_not_exists(catalog.namespace_from(name))
        own = PROPERTIES if has_files else SNAPSHOTS_PROPERTIES
        properties = {"format-version": "2", **own, **describe(source, role)}
        catalog.create_table(name, schema, partition_spec=spec, properties=properties)
    except TableAlreadyExistsError:
        pass
    except (ValueError, BadRequestError) as error:
        raise Failure(
            "USAGE",
            f"The catalog cannot create the table {name}: {error}.",
            "Configure where the catalog keeps its tables, for example with --property warehouse=s3://BUCKET/PREFIX.",
        ) from error


def read_schema(store, key):
    """The Iceberg schema of a Parquet file."""
    with store.open(key) as file:
        return schema_of(pq.read_schema(file))


def schema_of(found):
    """The Iceberg schema of an Arrow schema, with field ids from 1."""
    mapping = [MappedField(field_id=place, names=[name]) for place, name in enumerate(found.names, 1)]
    return pyarrow_to_schema(found, NameMapping(mapping))


def read_rows(store, key):
    """The number of rows of a Parquet file. Raise ValueError if it is none."""
    with store.open(key) as file:
        return pq.read_metadata(file).num_rows


def missing_columns(schema, wanted, key):
    """Return [(field, name of the column before it)] that the table lacks. Raise SCHEMA_CONFLICT for another type."""
    missing, before = [], None
    known = {field.name: field for field in schema.fields}
    for field in wanted.fields:
        own = known.get(field.name)
        if own is None:
            missing.append((field, before))
        elif own.field_type != field.field_type:
            raise Failure(
                "SCHEMA_CONFLICT",
                f"The column {field.name} is {own.field_type} in the table, and {field.field_type} in {key}.",
                "Nothing was committed. Commit into a new table with --table, or change the table's column.",
            )
        before = field.name
    return missing


def add_columns(transaction, missing):
    """Add columns, each after the column that it follows in the files. Older files read as null."""
    with transaction.update_schema() as update:
        for field, before in missing:
            update.add_column(field.name, field.field_type)
            if before is not None:
                update.move_after(field.name, before)
