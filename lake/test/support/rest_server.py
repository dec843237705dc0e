"""Responsible for starting the REST catalog of test/rest-catalog, and for Spark and DuckDB with Iceberg."""

import importlib
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path

JARS = Path(os.environ.get("LAKE_JARS", Path(__file__).parents[3] / "coverage/lake-jars"))
JAVA = Path(__file__).parents[1] / "rest-catalog/RestCatalog.java"


@contextmanager
def rest_catalog(folder):
    """Yield the properties of a catalog that a server on 127.0.0.1 answers for."""
    # The jar for Spark has other classes of the same names.
    jars = [str(jar) for jar in JARS.glob("*.jar") if not jar.name.startswith("iceberg-spark")]
    assert jars, f"{JARS} has no jars: run `npm run test:lake`"
    server = subprocess.Popen(
        ["java", "-cp", os.pathsep.join(jars), str(JAVA), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        port = server.stdout.readline().decode().strip()
        assert port, server.stderr.read().decode()
        yield {"type": "rest", "uri": f"http://127.0.0.1:{port}"}
    finally:
        server.stdin.close()
        server.stdout.close()
        server.wait()


def start_spark(uri):
    """A local Spark session with the REST catalog as `lake`."""
    from pyspark.sql import SparkSession

    (runtime,) = JARS.glob("iceberg-spark-runtime-*.jar")
    settings = {
        "spark.jars": runtime,
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.extensions": "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions",
        "spark.sql.catalog.lake": "org.apache.iceberg.spark.SparkCatalog",
        "spark.sql.catalog.lake.type": "rest",
        "spark.sql.catalog.lake.uri": uri,
        "spark.sql.catalog.lake.cache-enabled": "false",
    }
    builder = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, str(value))
    return builder.getOrCreate()


def open_duckdb():
    """A connection with the extensions from PyPI, which need no download."""
    import duckdb

    connection = duckdb.connect()
    for name in ("httpfs", "avro", "iceberg"):
        package = importlib.import_module(f"duckdb_extension_{name}")
        (file,) = Path(package.__file__).parent.glob(f"extensions/*/{name}.duckdb_extension")
        connection.execute(f"LOAD '{file}'")
    return connection
