"""Responsible for the list with dlt: RESTClient with its OffsetPaginator, to Parquet files.

Settings: dlt has no rate limit of its own. Its client retries 429, 5xx and lost connections 5 times. The factor of its
backoff is the window of the quota, so that the first retry is after a free window: the best that its settings allow.
"""

import dlt
from dlt.sources.helpers.requests import Client
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import OffsetPaginator
from task import HEADERS, OUT, PAGE, PARAMETERS, PATH_OF_LIST, QUOTA, URL, say

session = Client(request_backoff_factor=QUOTA[1] if QUOTA else 1, raise_for_status=False).session
client = RESTClient(
    base_url=URL,
    headers=HEADERS,
    session=session,
    data_selector="data_list",
    paginator=OffsetPaginator(limit=PAGE, total_path="total_num"),
)


@dlt.resource(name="nodes", write_disposition="replace", max_table_nesting=0)
def nodes():
    yield from client.paginate(PATH_OF_LIST, params=PARAMETERS)


pipeline = dlt.pipeline(
    pipeline_name="peer",
    pipelines_dir=f"{OUT}/pipelines",
    destination=dlt.destinations.filesystem(bucket_url=f"file://{OUT}/lake"),
    dataset_name="lake",
)
load = pipeline.run(nodes(), loader_file_format="parquet")
say("failed jobs" if load.has_failed_jobs else load.load_packages[0].state)
