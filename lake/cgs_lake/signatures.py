"""Responsible for Ed25519 keys and signatures of manifests and tombstones: steps 1, 5 and 6 of docs/format.md."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from cgs_lake.failure import Failure, corrupt


def parse_key(data):
    """Return (key id, key) of an Ed25519 public key in PEM. Raise ValueError for other bytes."""
    key = load_pem_public_key(data)
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("it is not an Ed25519 key")
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()[:16], key


def read_given_keys(paths):
    """Return {key id: key} of the files that a person names."""
    keys = {}
    for path in paths:
        try:
            with open(path, "rb") as file:
                name, key = parse_key(file.read())
        except (OSError, ValueError) as error:
            raise Failure(
                "USAGE",
                f"{path} is not an Ed25519 public key: {error}.",
                "Name a file in PEM that begins with BEGIN PUBLIC KEY, as `cgs-export keygen` writes it.",
            ) from error
        keys[name] = key
    return keys


class Signatures:
    """Checks objects of one store. `given` are keys from outside the store; without any, the store's own keys count."""

    def __init__(self, store, given):
        self.store, self.given, self.loaded = store, given, {}

    def key_of(self, name):
        if name in self.given:
            return self.given[name]
        if name not in self.loaded:
            key = f"_keys/{name}.pem"
            try:
                found, self.loaded[name] = parse_key(self.store.read(key))
            except (OSError, ValueError) as error:
                raise corrupt(key, "is missing, or is not an Ed25519 public key") from error
            if found != name:
                raise corrupt(key, f"is the key {found}")
        return self.loaded[name]

    def check(self, key, data, key_id, signature_key):
        """Raise CORRUPT if an object that names a key is not signed by it."""
        try:
            self.key_of(key_id).verify(self.store.read(signature_key), data)
        except (OSError, InvalidSignature) as error:
            raise corrupt(signature_key, f"is missing, or is not the signature of {key} by the key {key_id}") from error

    def check_chain(self, chain):
        """Check the signatures of a whole chain. With given keys, one of them must have signed the newest manifest."""
        is_trusted = False
        for manifest in chain:
            if manifest.key_id is not None:
                signature = manifest.key.replace("_manifests/", "_signatures/", 1)[: -len("json")] + "sig"
                self.check(manifest.key, self.store.read(manifest.key), manifest.key_id, signature)
            is_trusted = is_trusted or manifest.key_id in self.given
            if self.given and manifest.key_id not in self.given and (is_trusted or manifest is chain[-1]):
                raise corrupt(manifest.key, "has no valid signature of a given key")
