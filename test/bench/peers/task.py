"""Responsible for what each peer gets from peers.bench.ts, through the environment, and for the last line that it prints.

URL, PATH_OF_LIST, PARAMETERS, PAGE: the list and its largest page. HEADERS: an IAM token, which needs no signature. QUOTA:
(requests, seconds), or None. OUT: the folder for the result, which stays there between two runs.
"""

import os

URL = os.environ["PEER_URL"]
PROJECT = os.environ["PEER_PROJECT"]
PATH_OF_LIST = f"/v5/{PROJECT}/container/nodes"
PARAMETERS = {"enterprise_project_id": "all_granted_eps"}
PAGE = 200
HEADERS = {"X-Auth-Token": os.environ["PEER_TOKEN"]}
OUT = os.environ["PEER_OUT"]
allowed, window = os.environ["PEER_QUOTA"].split("/")
QUOTA = (int(allowed), float(window)) if int(allowed) > 0 else None


def say(reported):
    """What the tool says about its run, for the table."""
    print(f"reported: {reported}", flush=True)
