"""An environment's file, its name, its errors, and whatever else may be in it."""

from __future__ import annotations

import copy
import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connect_settings import (
    Settings,
    SettingsError,
    environment_file,
)
from tests.infra.settings.environments import (
    ENVIRONMENTS,
    INSTANCE,
    KEY,
    MISSING,
    ROLE,
    SMALLEST,
    TOPIC,
    read,
)

# Files


def test_a_file_is_named_in_its_errors(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('account = "123456789012"', encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        Settings.load(path)
    assert all(line.startswith(f"{path}: ") for line in str(error.value).splitlines())


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("region = us-east-1", 'put the value of region in quotes: region = "…"'),
        ("  mode = adopt  # as it is", 'put the value of mode in quotes: mode = "…"'),
        ("region = ", ""),
        ('region = "us-east-1', ""),
    ],
)
def test_broken_toml_is_answered_with_its_file_its_line_and_missing_quotes(
    tmp_path: Path, line: str, error: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'account = "123456789012"\n{line}\n', encoding="utf-8")
    with pytest.raises(SettingsError) as raised:
        Settings.load(path)
    (said,) = str(raised.value).splitlines()
    assert said.startswith(f"{path}: cannot be read as TOML: ")
    assert "at line 2, column " in said
    assert said.partition(")")[2].removeprefix("; ") == error


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["absent", "not UTF-8"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "mine.toml"
    if content:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"mine\.toml: cannot be read as TOML: "):
        Settings.load(path)


def test_an_environment_is_found_by_its_name_or_by_its_path(tmp_path: Path) -> None:
    elsewhere = tmp_path / "mine.toml"
    elsewhere.touch()
    assert environment_file("prod", ENVIRONMENTS) == ENVIRONMENTS / "prod.toml"
    assert environment_file(str(elsewhere), ENVIRONMENTS) == elsewhere


@pytest.mark.parametrize(
    "name", ["prdo", "", "../environments/prod", "PROD", "absent/mine.toml", __file__]
)
def test_an_environment_that_does_not_exist_is_answered_with_those_that_do(name: str) -> None:
    with pytest.raises(SettingsError) as error:
        environment_file(name, ENVIRONMENTS)
    assert str(error.value) == (
        f'{ENVIRONMENTS}: there is no environment "{name}"; '
        "write dev, prod, sandbox, staging, or the path of a .toml file"
    )


@pytest.mark.parametrize(
    ("name", "better"), [("my_env", "my-env"), ("prod.eu", "prod-eu"), ("é", "prod"), ("_a_", "a")]
)
def test_a_file_whose_name_no_stack_can_have_is_answered_with_a_better_one(
    tmp_path: Path, name: str, better: str
) -> None:
    file = tmp_path / f"{name}.toml"
    file.touch()
    message = (
        f"{file}: its name becomes part of the stacks' names, which may have only letters, digits "
        f'and "-"; rename it to {better}.toml'
    )
    for way in (name, str(file)):
        with pytest.raises(SettingsError, match=f"^{re.escape(message)}$"):
            environment_file(way, tmp_path)


# Whatever is in the file

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.datetimes()
    | st.sampled_from([INSTANCE, KEY, TOPIC, ROLE, "manage", "query", 2**64, "\ud800"]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
keys = sorted(
    [each.name for each in dataclasses.fields(Settings)]
    + [
        f"{table}.{name}"
        for table, record in dataclasses.asdict(read({})).items()
        if isinstance(record, dict)
        for name in record
    ]
)


@given(changes=st.dictionaries(st.sampled_from(keys) | st.text(), st.just(MISSING) | anything))
def test_a_file_loads_or_is_answered_with_named_keys_and_nothing_else(
    changes: dict[str, object],
) -> None:
    data = copy.deepcopy(dict(SMALLEST))
    for key, value in sorted(changes.items()):
        table, _, name = key.rpartition(".")
        place = data.get(table, {}) if table else data
        if value is MISSING and isinstance(place, dict):
            place.pop(name, None)
        elif isinstance(place, dict):
            place[name] = value
            data |= {table: place} if table else {}
    try:
        Settings.from_mapping(data, source="prod.toml")
    except SettingsError as error:
        assert str(error).startswith("prod.toml: ")
