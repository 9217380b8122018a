"""A mistyped --warehouse is told, and nothing is made there, by every job that reads one."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

import pytest

from lakehouse.run import command

READING = (
    ("promote_silver",),
    ("promote_gold",),
    ("train", "segment"),
    ("evaluate", "segment"),
    ("score", "segment"),
    ("promote_model", "history"),
    ("promote_model", "rollback", "segment", "--shop", "shop"),
    ("mlflow_ui",),
    ("quarantine", "list"),
    ("quarantine", "show", "silver.orders"),
    ("files", "list"),
    ("files", "rebuild"),
    ("report",),
)


@pytest.mark.parametrize(("name", "arguments"), [(n, a) for n, *a in READING])
@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_without_a_warehouse_is_told(
    name: str, arguments: Sequence[str], exists: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "warehuose"
    if exists:
        folder.mkdir()
    main: Callable[[Sequence[str] | None], int] = import_module(f"jobs.{name}").main
    with pytest.raises(SystemExit) as end:
        command.guarded(main, [*arguments, "--warehouse", str(folder)])
    assert end.value.code == 2
    what = "holds no warehouse" if exists else "does not exist"
    assert capsys.readouterr().err == (
        f"error: --warehouse {folder}: this folder {what}; name that of an earlier run, or make one: "
        "shoplake run --input FOLDER --warehouse DIR\n"
    )
    assert list(tmp_path.rglob("*")) == ([folder] if exists else [])
