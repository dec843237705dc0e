# Responsible for one Spark session for tests. Reads one statement in each line of stdin, as a JSON string, and prints one line of
# JSON for it: {"rows": [...]} or {"error": "..."}. Times are in UTC, to the millisecond: 2026-11-24T06:00:00.000Z. Whole numbers that a
# double cannot hold are text.
# Usage: spark_session.py hive|in-memory FOLDER small|large [NAME=VALUE ...]. The folder gets the metastore. large: as Spark is by
# default, for many rows. The others are settings.

import json
import os
import sys
from datetime import datetime

# Before Spark starts: collected times are in the time zone of this process.
os.environ["TZ"] = "UTC"

from pyspark.sql import Row, SparkSession  # noqa: E402

catalog, folder, size, *settings = sys.argv[1:]
is_large = size == "large"
# Spark's own messages must not mix with the answers.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
java_options = "" if is_large else "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
builder = (
    SparkSession.builder.master("local[2]")
    .config("spark.ui.enabled", "false")
    .config("spark.ui.showConsoleProgress", "false")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.memory", "3g" if is_large else "1g")
    .config("spark.sql.shuffle.partitions", "2" if is_large else "1")
    .config("spark.sql.sources.parallelPartitionDiscovery.threshold", "10000")
    .config("spark.sql.warehouse.dir", f"{folder}/warehouse")
    # Results must not depend on the time zone of a session.
    .config("spark.sql.session.timeZone", "Asia/Shanghai")
    .config("spark.sql.catalogImplementation", catalog)
    .config("spark.hadoop.javax.jdo.option.ConnectionURL", f"jdbc:derby:;databaseName={folder}/metastore;create=true")
    .config("spark.driver.extraJavaOptions", f"{java_options} -Dderby.stream.error.file={folder}/derby.log")
)
if not is_large:
    # Few rows: compiling code for each query would take most of the time.
    builder = builder.config("spark.sql.codegen.wholeStage", "false").config("spark.sql.codegen.factoryMode", "NO_CODEGEN")
for setting in settings:
    builder = builder.config(*setting.split("=", 1))
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel("ERROR")


def plain(value):
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds") + "Z"
    if isinstance(value, int) and abs(value) > 2**53 - 1:
        return str(value)
    if isinstance(value, Row):
        return value.asDict(recursive=True)
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value


for line in sys.stdin:
    try:
        rows = spark.sql(json.loads(line)).collect()
        answer = {"rows": [[plain(value) for value in row] for row in rows]}
    except Exception as error:  # The test decides whether this is a failure.
        answer = {"error": str(error)[:2000]}
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
