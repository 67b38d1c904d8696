"""Files and folders that are written: whole or not at all, with the mode, the owner and the links of what was there."""

import os
import stat

import pytest
import torch

import latente as lt
from latente.cli.output import Destination, as_table
from latente.files import write_atomically, write_tensors, write_text
from latente.folders import write_folder
from latente.report.figures.canvas import save


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def a_table(path):
    Destination.of(str(path)).write(as_table(torch.zeros(2, 2).numpy(), ["a", "b"]))


def a_figure(path):
    from matplotlib.figure import Figure

    save(Figure(), path)


WRITERS = {
    "text": ("a.html", lambda path: write_text(path, "new")),
    "tensors": ("a.safetensors", lambda path: write_tensors(path, "kind", 1, {}, {"x": torch.zeros(1)})),
    "figure": ("a.png", a_figure),
    **{kind: (f"a{kind}", a_table) for kind in (".csv", ".csv.gz", ".parquet", ".npz", ".npy")},
}


@pytest.fixture(autouse=True)
def umask():
    before = os.umask(0o027)
    yield
    os.umask(before)


@pytest.mark.parametrize("what", WRITERS)
def test_mode_and_links_are_kept_by_every_writer(tmp_path, what):
    name, write = WRITERS[what]
    path, link = tmp_path / name, tmp_path / f"link-{name}"
    write(path)
    assert mode(path) == 0o640, "by the umask"
    written = path.read_bytes()
    for kept in (0o600, 0o644, 0o604, 0o400):
        path.write_text("mine") if os.access(path, os.W_OK) else None
        path.chmod(kept)
        write(path)
        assert mode(path) == kept
    link.symlink_to(name)
    path.unlink()
    write(link)
    assert link.is_symlink() and path.stat().st_size == len(written) and mode(path) == 0o640
    path.chmod(0o600)
    write(link)
    assert link.is_symlink() and mode(path) == 0o600
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted([name, link.name])


def test_what_was_private_is_never_open_to_others(tmp_path):
    path = tmp_path / "a"
    path.write_text("mine")
    path.chmod(0o600)

    def look(file):
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
        file.write(b"new")

    write_atomically(path, look)
    assert path.read_text() == "new"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root may give files away")
def test_the_owner_is_kept(tmp_path):
    path, folder = tmp_path / "a", tmp_path / "png"
    write_text(path, "old")
    folder.mkdir()
    for mine in (path, folder):
        os.chown(mine, 1234, 4321)
    write_text(path, "new")
    write_folder([("0.png", b"x")], folder)
    assert {(each.stat().st_uid, each.stat().st_gid) for each in (path, folder)} == {(1234, 4321)}


def test_an_owner_who_can_not_be_kept_is_no_error(tmp_path, monkeypatch):
    def refused(*_):
        raise PermissionError

    path = tmp_path / "a"
    write_text(path, "old")
    path.chmod(0o604)
    monkeypatch.setattr("latente.files.os.chown", refused)
    assert write_text(path, "new").read_text() == "new" and mode(path) == 0o604


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    (tmp_path / "astray").symlink_to("nowhere/file")
    before = sorted(tmp_path.iterdir())
    for name in ("pipe", "loop", "folder", "astray"):
        with pytest.raises(lt.StorageError, match=f"can't write .*{name}"):
            write_text(tmp_path / name, "new")
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_keeps_its_mode_and_a_link_to_it_stays(tmp_path):
    folder, link = tmp_path / "png", tmp_path / "link"
    write_folder([("0.png", b"x")], folder)
    assert mode(folder) == 0o750
    (folder / "0.png").unlink()
    folder.chmod(0o700)
    link.symlink_to("png")
    write_folder([("1.png", b"y")], link)
    assert mode(folder) == 0o700 and link.is_symlink()
    assert [path.name for path in folder.iterdir()] == ["1.png"]
