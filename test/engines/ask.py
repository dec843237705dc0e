"""Responsible for asking an engine in Python: reads a JSON object from stdin, runs its statements, then its queries.

Usage: ask.py ENGINE, with {"statements": [SQL], "queries": [SQL], "database": text} on stdin; "database", only for chdb,
can be absent. Runs the statements twice. Prints a JSON array: by query, its rows or {"error": text}, and the milliseconds it
took. Times are ISO 8601 in UTC with milliseconds. Whole numbers that a double cannot hold are text.
"""

import datetime
import json
import sys
import time


def open_chdb(database):
    from chdb import session

    opened = session.Session(database)

    def query(sql):
        text = opened.query(f"{sql} SETTINGS session_timezone = 'Asia/Shanghai'", "JSONCompact").data()
        answer = json.loads(text)
        types = [column["type"] for column in answer["meta"]]
        return [[from_clickhouse(cell, kind) for cell, kind in zip(row, types)] for row in answer["data"]]

    return opened.query, query


def from_clickhouse(cell, kind):
    if cell is None:
        return None
    if "DateTime64" in kind:
        # The type names the zone of the text.
        return datetime.datetime.fromisoformat(cell).replace(tzinfo=datetime.timezone.utc)
    if "Int" in kind and "String" not in kind:
        return int(cell)
    return cell


def open_duckdb(_database):
    import duckdb

    opened = duckdb.connect()
    opened.execute("SET TimeZone = 'Asia/Shanghai'")
    return opened.execute, lambda sql: opened.execute(sql).fetchall()


def to_json(cell):
    if isinstance(cell, datetime.datetime):
        utc = cell.astimezone(datetime.timezone.utc)
        return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(cell, int) and abs(cell) > 2**53 - 1:
        return str(cell)
    return cell


def ask(query, sql):
    start = time.perf_counter()
    try:
        rows = [[to_json(cell) for cell in row] for row in query(sql)]
    except Exception as error:  # The test shows it.
        rows = {"error": str(error)}
    return {"rows": rows, "ms": round((time.perf_counter() - start) * 1000)}


task = json.load(sys.stdin)
run, query = {"chdb": open_chdb, "duckdb": open_duckdb}[sys.argv[1]](task.get("database"))
for statement in task["statements"] * 2:
    run(statement)
json.dump([ask(query, sql) for sql in task["queries"]], sys.stdout)
