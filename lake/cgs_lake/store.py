"""Responsible for reading a store: a folder or a bucket, through the file systems of PyIceberg and pyarrow."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pyarrow.fs import FileSelector, FileSystem, FileType
from pyiceberg.io.pyarrow import PyArrowFileIO

from cgs_lake.failure import Failure

BLOCK_BYTES = 1 << 20


@dataclass(frozen=True)
class Store:
    """`root` is the path of the store in `files`. `url` is its address in Iceberg tables, without a last /."""

    files: FileSystem
    root: str
    url: str

    def uri_of(self, key):
        return f"{self.url}/{key}"

    def contains(self, location):
        """Whether an address of a folder is that of the store, or of a folder in it."""
        path = re.sub(r"^(file:(//)?|s3a?://|obs://)", "", location)
        return f"{path.rstrip('/')}/".startswith(f"{self.root}/")

    def list(self, folder):
        """Return {key: bytes} of all files below a folder. A folder that does not exist is empty."""
        selector = FileSelector(f"{self.root}/{folder}", recursive=True, allow_not_found=True)
        found = self.files.get_file_info(selector)
        return {info.path[len(self.root) + 1 :]: info.size for info in found if info.type == FileType.File}

    def sizes_of(self, keys):
        """Return the bytes of each object, in the order of the keys; None where there is none."""
        infos = self.files.get_file_info([f"{self.root}/{key}" for key in keys])
        return [info.size if info.type == FileType.File else None for info in infos]

    def read(self, key):
        with self.files.open_input_stream(f"{self.root}/{key}") as stream:
            return stream.read()

    def open(self, key):
        """A file that can be read at any place."""
        return self.files.open_input_file(f"{self.root}/{key}")

    def blocks_of(self, key):
        with self.files.open_input_stream(f"{self.root}/{key}") as stream:
            while block := stream.read(BLOCK_BYTES):
                yield block


def open_store(location, properties):
    """Open a path, file:, s3:// or obs:// address.

    `properties` are those of the catalog: s3.endpoint, s3.region, s3.access-key-id, … as PyIceberg names them. An obs://
    address is read and recorded as s3://, which PyIceberg, Spark, DuckDB and Trino can read.
    """
    parts = urlsplit(location)
    if "@" in parts.netloc:
        raise usage("--store has a key in its address.", "Configure keys as properties of the catalog.")
    if parts.scheme in ("s3", "s3a", "obs"):
        refuse_marks(location)
        if not parts.netloc:
            raise usage(f"{location} names no bucket.", "Write s3://BUCKET/PREFIX.")
        if "s3.endpoint" in properties and "s3.region" not in properties and "client.region" not in properties:
            raise usage(
                "s3.endpoint is set, but s3.region is not.",
                "Add --property s3.region=REGION, for example cn-north-4.",
            )
        files = PyArrowFileIO(properties).fs_by_scheme("s3", parts.netloc)
        root = (parts.netloc + parts.path).rstrip("/")
        return Store(files, root, f"s3://{root}")
    if parts.scheme not in ("", "file"):
        raise usage(f"{location} has the unknown scheme {parts.scheme}:.", "Use a path, file:, s3:// or obs://.")
    # As in cgs-export, file:./export is a relative path.
    path = location[len("file:") :] if parts.scheme else location
    if path.startswith("//"):
        path = parts.path
    folder = Path(os.path.abspath(path))
    refuse_marks(str(folder))
    if not folder.is_dir():
        raise usage(f"{folder} is not a folder.", "Name the folder that --store or `store:` of cgs-export names.")
    return Store(PyArrowFileIO(properties).fs_by_scheme("file", ""), str(folder), f"file://{folder}")


def refuse_marks(path):
    if found := {"#", "?"} & set(path):
        raise usage(
            f"The store {path} has {min(found)} in its address, where readers of Iceberg tables end the path.",
            "Use a store whose address has neither # nor ?.",
        )


def usage(message, hint):
    return Failure("USAGE", message, hint)
