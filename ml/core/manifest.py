"""What the files of a registered model were when it was registered: one that was changed since is not loaded.

The manifest lists the SHA-256 of every file of the model and is signed (HMAC) by the warehouse's key; the registry
keeps the signature as well, so that a manifest that is gone is missed. With another key all models are strangers: train
again.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

from lakehouse.errors import LakehouseError

NAME = "manifest.json"
TAG = "shoplake.manifest"


class ModelDamaged(LakehouseError):
    """The files of a registered model are not those that were registered. Exit code 1."""


def seal(folder: Path, key: str) -> str:
    """Write the manifest of a model's files beside them; returns its signature."""
    files = _hashes(folder)
    signature = _signature(files, key)
    (folder / NAME).write_text(json.dumps({"files": files, "signature": signature}, indent=1))
    return signature


def check(model: str, folder: Path, key: str, signature: str | None) -> bool:
    """Raise `ModelDamaged` unless the files are those that were sealed; `signature` is what the registry says.

    False for a model from before there were manifests.
    """
    told = _told(model, folder)
    if told is None:
        if signature is None:
            return False
        raise ModelDamaged(f"{model}: its {NAME} is gone; it is not loaded. Train again")
    files, signed = told
    _compare(model, folder, files)
    true = _signature(files, key)
    if not all(hmac.compare_digest(true, found) for found in (signed, signature or true)):
        raise ModelDamaged(
            f"{model}: its {NAME} is not signed by this warehouse's key; it is not loaded. Train again, or bring back "
            "the key"
        )
    return True


def check_files(folder: Path) -> None:
    """Raise `ModelDamaged` unless the files are those of their manifest, where there is one; the key is not needed."""
    model = f"the model in {folder}"
    if told := _told(model, folder):
        _compare(model, folder, told[0])


def _told(model: str, folder: Path) -> tuple[dict[str, str], str] | None:
    try:
        told = json.loads((folder / NAME).read_text())
        return dict(told["files"]), str(told["signature"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ModelDamaged(f"{model}: its {NAME} is damaged; it is not loaded. Train again") from error


def _compare(model: str, folder: Path, sealed: dict[str, str]) -> None:
    found = _hashes(folder)
    changed = sorted(name for name in sealed.keys() | found.keys() if sealed.get(name) != found.get(name))
    if changed:
        raise ModelDamaged(
            f"{model}: {len(changed)} of its {len(sealed)} files are not as they were registered, such as "
            f"{changed[0]}; it is not loaded. Train again"
        )


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / NAME)
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _signature(files: dict[str, str], key: str) -> str:
    own = hmac.new(key.encode(), b"manifests of shoplake's models", hashlib.sha256).digest()
    return hmac.new(own, json.dumps(files, sort_keys=True).encode(), hashlib.sha256).hexdigest()
