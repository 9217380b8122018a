"""Who may ask what and how often: keys, roles, limits; without keys this machine alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from jobs import api, api_key
from lakehouse.clock import system_clock
from lakehouse.errors import UsageError
from serving.api import keys
from serving.api.access import Access, is_loopback
from serving.api.app import create
from serving.api.limits import Limiter
from serving.api.release import Live, Loaded
from tests.serving.api.conftest import PATH

SHOWN, EXPECTED = f"{PATH}/recommendations", f"{PATH}/stock-plan"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def client_of(loaded: Loaded, access: Access, host: str = "http://shop.example") -> TestClient:
    return TestClient(create(Live(loaded.reader.lake, loaded), access), host)


def asked(client: TestClient, path: str, key: str | None = None) -> int:
    answer = client.get(path, headers={"X-API-Key": key} if key else {})
    assert answer.headers["content-type"].endswith("json")
    return answer.status_code


def test_a_key_opens_what_its_role_may_ask(loaded: Loaded, file: Path) -> None:
    made = {role: keys.add(file, f"the {role}", role, system_clock) for role in keys.ROLES}
    client = client_of(loaded, Access(file, 1e6))
    paths = (SHOWN, EXPECTED, "/v1/freshness", "/v1/health", "/openapi.json")
    assert [asked(client, path) for path in paths] == [401, 401, 401, 200, 200]
    assert [asked(client, path, made["storefront"]) for path in paths] == [200, 403, 403, 200, 200]
    assert [asked(client, path, made["manager"]) for path in paths] == [200] * 5
    own = made["manager"].partition(".")[0]
    for wrong in (f"{own}.", f"{own}.{made['storefront'].partition('.')[2]}", "nonsense", f"nobody.{'x' * 43}"):
        assert asked(client, SHOWN, wrong) == 401


def test_the_file_holds_no_key_and_is_its_owners(file: Path) -> None:
    made = keys.add(file, "till", "storefront", system_clock)
    assert made.partition(".")[2] not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError, match="till has a key already"):
        keys.add(file, "till", "manager", system_clock)
    keys.remove(file, "till")
    with pytest.raises(UsageError, match="till has no key"):
        keys.remove(file, "till")
    assert keys.add(file, "till", "storefront", system_clock) != made


def test_a_key_that_was_removed_opens_nothing_any_more(loaded: Loaded, file: Path) -> None:
    made = [keys.add(file, name, "storefront", system_clock) for name in ("till", "web")]
    access = Access(file, 1e6)
    client = client_of(loaded, access)
    assert [asked(client, SHOWN, key) for key in made] == [200, 200]
    keys.remove(file, "till")
    access.refresh()
    assert [asked(client, SHOWN, key) for key in made] == [401, 200]
    kept = file.read_text()
    file.write_text("half a fi")
    access.refresh()
    assert [asked(client, SHOWN, key) for key in made] == [401, 200], "a file that cannot be read changes nothing"
    file.write_text(kept)
    keys.remove(file, "web")
    access.refresh()
    assert [asked(client, SHOWN, key) for key in made] == [401, 401], "without the last key nothing is open"


def test_who_asks_too_often_is_told_when_to_come_again(loaded: Loaded, file: Path) -> None:
    made = [keys.add(file, name, "storefront", system_clock) for name in ("till", "web")]
    client = client_of(loaded, Access(file, 0.01 / 2 + 1.5))
    assert [asked(client, SHOWN, made[0]) for _ in range(5)] == [200, 200, 200, 429, 429]
    assert asked(client, SHOWN, made[1]) == 200, "each key has a limit of its own"
    told = client.get(SHOWN, headers={"X-API-Key": made[0]})
    assert (told.status_code, told.headers["Retry-After"]) == (429, "1")
    assert told.json()["type"] == "urn:shoplake:too-many-requests"


def test_keys_are_not_guessed_fast(loaded: Loaded, file: Path) -> None:
    made = keys.add(file, "till", "storefront", system_clock)
    client = client_of(loaded, Access(file, 1e6))
    assert asked(client, SHOWN, made) == 200
    tried = [asked(client, SHOWN, f"{made}{n}") for n in range(12)]
    assert tried == [401] * 10 + [429] * 2
    assert asked(client, SHOWN, made) == 200, "who is known already goes on"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8000", 200),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("evil.example", 403),
        ("evil.example:8000", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
def test_without_keys_this_machine_alone_is_answered(loaded: Loaded, host: str, status: int) -> None:
    client = client_of(loaded, Access(None, 1e6), "http://localhost")
    assert client.get(EXPECTED, headers={"host": host}).status_code == status


def test_a_limiter_lets_through_what_it_says() -> None:
    now = [0.0]
    limiter = Limiter(2, 3, lambda: now[0])
    assert [limiter.wait("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert (limiter.peek("a"), limiter.peek("b")) == (0.5, 0)
    now[0] = 0.5
    assert [limiter.wait("a") for _ in range(2)] == [0, 0.5]
    now[0] = 100.0
    assert [limiter.wait("a") for _ in range(4)] == [0, 0, 0, 0.5], "what was not taken does not pile up"


def test_a_limiter_forgets_whose_bucket_is_full() -> None:
    now = [0.0]
    limiter = Limiter(1, 1, lambda: now[0])
    for number in range(10_000):
        limiter.wait(str(number))
    now[0] = 2.0
    limiter.wait("the next")
    assert len(limiter._buckets) == 1


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("shop", False),
    ],
)
def test_loopback_is_this_machine(host: str, alone: bool) -> None:
    assert is_loopback(host) == alone


def test_others_are_not_let_in_without_keys(loaded: Loaded, file: Path) -> None:
    where = ["--warehouse", str(loaded.reader.lake.warehouse)]
    with pytest.raises(UsageError, match="others could ask without a key"):
        api.main([*where, "--host", "0.0.0.0"])
    for content in (None, "{}", json.dumps({"keys": []}), "half a fi"):
        if content is not None:
            file.write_text(content)
        with pytest.raises(UsageError, match=r"keys\.json"):
            api.main([*where, "--host", "0.0.0.0", "--keys", str(file)])


def test_keys_are_made_listed_and_removed_by_a_command(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    where = ["--keys", str(file)]
    assert api_key.main(["list", *where]) == 0
    assert "no key yet" in capsys.readouterr().out
    assert api_key.main(["add", "till", "--role", "storefront", *where]) == 0
    made = capsys.readouterr().out.split()[-1]
    (key,) = keys.load(file).values()
    assert key.is_of(made.partition(".")[2])
    assert api_key.main(["list", *where]) == 0
    listed = capsys.readouterr().out
    assert "till" in listed
    assert "storefront" in listed
    assert made not in listed
    assert api_key.main(["add", "other", *where]) == 2
    assert api_key.main(["remove", "till", *where]) == 0
    assert keys.listed(file) == []
