"""Responsible for errors that a person can act on: how they are printed, and the exit code of a run."""

import json
import re
import sys
from dataclasses import dataclass

# The code of an error -> the exit code. The exit codes are those of cgs-export.
EXIT_CODES = {
    "INTERNAL": 1,
    "SCHEMA_CONFLICT": 1,
    "USAGE": 2,
    "PERMISSION": 3,
    "INTERRUPTED": 4,
    "CONFLICT": 4,
    "UNREACHABLE": 4,
    "CORRUPT": 5,
}
# If there are several errors, the first of these exit codes that one of them has.
PRECEDENCE = (5, 1, 2, 3, 4)


@dataclass
class Failure(Exception):
    """`code` is one of EXIT_CODES. `hint` says what to do next."""

    code: str
    message: str
    hint: str

    def __str__(self):
        return f"{self.code}: {self.message}\n  {self.hint}"


def exit_code_of(failures):
    codes = {EXIT_CODES[failure.code] for failure in failures}
    return next((code for code in PRECEDENCE if code in codes), 0)


def interrupted():
    return Failure("INTERRUPTED", "Stopped by a signal.", "Run the command again: it continues where it stopped.")


def without_secrets(text):
    """Hide what is before the @ of an address: it can be a name and a password."""
    return re.sub(r"(?<=//)[^/@\s]+(?=@)", "…", text)


def print_errors(result, failures, is_json):
    """Print the errors to stderr, and with `is_json` also the result, as one JSON object, to stdout."""
    if is_json:
        errors = [{"code": one.code, "message": one.message, "hint": one.hint} for one in failures]
        print(json.dumps({**result, "errors": errors}), flush=True)
    for failure in failures:
        print(failure, file=sys.stderr, flush=True)


def corrupt(key, text):
    """A fault in the store: `text` says what is wrong with the object `key`."""
    return Failure(
        "CORRUPT",
        f"{key} {text}.",
        "Run `cgs-export verify`, and restore the object that it names from a backup. "
        "No later snapshot of this target is committed until then.",
    )
