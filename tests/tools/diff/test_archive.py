"""Templates that a stranger packed: plain files below one folder, within bounds, or nothing."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.diff import archive
from tools.diff.revisions import Failure

REFUSED = "The templates hold a file that is not a plain one below their folder."


@pytest.fixture
def packed(tmp_path: Path) -> Callable[..., Path]:
    def pack(*names: str, kind: int = stat.S_IFREG, content: bytes = b"{}") -> Path:
        file = tmp_path / "templates.zip"
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as out:
            for name in names:
                member = zipfile.ZipInfo(name)
                member.external_attr = (kind | 0o644) << 16
                member.compress_type = zipfile.ZIP_DEFLATED
                out.writestr(member, content)
        return file

    return pack


def files(folder: Path) -> list[str]:
    return sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())


def test_what_is_in_order_is_written_below_the_folder(
    packed: Callable[..., Path], tmp_path: Path
) -> None:
    file = packed("dev/manifest.json", "dev/asset.1/.hidden")
    assert files(archive.unpack(file, tmp_path / "out")) == [
        "dev/asset.1/.hidden",
        "dev/manifest.json",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "../outside.json",
        "dev/../../outside.json",
        "/outside.json",
        "dev//outside.json",
        "./outside.json",
        "dev\\..\\outside.json",
        "/".join(["deep"] * 21),
        "a" * 201,
    ],
)
def test_no_name_leads_out_of_the_folder(
    packed: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    with pytest.raises(Failure, match=REFUSED):
        archive.unpack(packed(name), tmp_path / "out")
    assert files(tmp_path) == ["templates.zip"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(
    packed: Callable[..., Path], tmp_path: Path, kind: int
) -> None:
    with pytest.raises(Failure, match=REFUSED):
        archive.unpack(packed("dev/manifest.json", kind=kind, content=b"/etc"), tmp_path / "out")


def test_a_file_stands_in_no_other_ones_place(packed: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = packed("dev/a", "dev/a")
    with pytest.raises(Failure, match="cannot be unpacked: FileExistsError"):
        archive.unpack(twice, tmp_path / "out")


def test_a_bomb_is_not_blown_up(packed: Callable[..., Path], tmp_path: Path) -> None:
    bomb = packed("dev/a", "dev/b", content=b"0" * 501)
    with pytest.raises(Failure, match="more than 1000 bytes"):
        archive.unpack(bomb, tmp_path / "out", most_bytes=1_000)
    assert sum(file.stat().st_size for file in (tmp_path / "out").rglob("*")) < 10_000


def test_a_flood_of_files_is_refused(packed: Callable[..., Path], tmp_path: Path) -> None:
    many = packed(*(f"dev/{number}" for number in range(archive.MOST_FILES + 1)))
    with pytest.raises(Failure, match="more than 2000 files"):
        archive.unpack(many, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@given(st.binary(max_size=200), st.integers(0, 200), st.binary(max_size=4))
def test_whatever_the_bytes_are_they_are_unpacked_or_refused(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, place: int, other: bytes
) -> None:
    folder = tmp_path_factory.mktemp("noise")
    file = folder / "templates.zip"
    with zipfile.ZipFile(file, "w") as out:
        out.writestr("dev/manifest.json", noise)
    content = file.read_bytes()
    file.write_bytes(content[:place] + other + content[place + len(other) :])
    try:
        archive.unpack(file, folder / "out")
    except Failure as problem:
        assert str(problem).startswith("The templates ")
    assert set(os.listdir(folder)) <= {"templates.zip", "out"}
