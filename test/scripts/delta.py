"""The other side of delta.mjs: reads and changes a Delta table with the `deltalake` package, and says as JSON what it saw."""

import datetime
import json
import sys

import pyarrow as pa
from deltalake import DeltaTable, QueryBuilder, write_deltalake

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def plain(value):
    if isinstance(value, datetime.datetime):
        return (value - EPOCH) // datetime.timedelta(microseconds=1)
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


# As in src/archives/README.md.
LATEST = """
SELECT trace_id, version FROM (
  SELECT *, row_number() OVER (PARTITION BY trace_id ORDER BY version DESC) AS nth FROM traces
) WHERE nth = 1
"""


def latest(path):
    found = pa.table(QueryBuilder().register("traces", DeltaTable(path)).execute(LATEST)).to_pylist()
    return {row["trace_id"]: row["version"] for row in found}


def show(path):
    table = DeltaTable(path)
    rows = table.to_pyarrow_table()
    return {
        "version": table.version(),
        "fields": json.loads(table.schema().to_json())["fields"],
        "types": {field.name: str(field.type) for field in rows.schema},
        "partitions": table.metadata().partition_columns,
        "rows": plain(rows.to_pylist()),
        "latest": latest(path),
        "late": DeltaTable(path).to_pyarrow_table(filters=[("date", "=", datetime.date(2026, 11, 22))]).num_rows,
        "newest": DeltaTable(path).to_pyarrow_table(filters=[("version", ">", 3)]).num_rows,
    }


def change(path):
    """Appends what is there with other ids, removes a trace, merges small files, writes a checkpoint, appends once more after it."""
    rows = DeltaTable(path).to_pyarrow_table()

    def renamed(prefix):
        ids = pa.array([prefix + one.as_py() for one in rows.column("trace_id")])
        return rows.set_column(rows.schema.get_field_index("trace_id"), "trace_id", ids)

    write_deltalake(path, renamed("python-"), mode="append")
    DeltaTable(path).delete("trace_id = 'python-tr-1'")
    DeltaTable(path).optimize.compact()
    DeltaTable(path).create_checkpoint()
    write_deltalake(path, renamed("after-"), mode="append")
    return {"version": DeltaTable(path).version()}


print(json.dumps({"show": show, "change": change}[sys.argv[1]](sys.argv[2])))
