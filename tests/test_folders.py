"""Folders that one process at a time writes to, and whose files are replaced together."""

import multiprocessing
import os
import shutil
import signal

import pytest

import latente as lt
from latente import folders
from latente.folders import COMMITTED, finish, hold

OWN = ("a", "b", "sub/c")


def put(folder, **texts):
    """Replace the files of a folder by others."""
    with hold(folder) as held, held.stage() as stage:
        paths = {name: stage / name.replace("_", "/") for name in texts}
        for name, path in paths.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(texts[name])
        return held.commit(paths, OWN)


def found(folder):
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_files_are_replaced_together_and_others_stay(tmp_path):
    folder = tmp_path / "deep/run"
    assert put(folder, a="1", sub_c="1") == {"a": folder / "a", "sub_c": folder / "sub/c"}
    (folder / "mine").write_text("mine")
    (folder / "a").chmod(0o600)
    put(folder, a="2", b="2")
    assert found(folder) == {"a": "2", "b": "2", "mine": "mine"}
    assert (folder / "a").stat().st_mode & 0o777 == 0o600


def put_and_fail(folder, text):
    with hold(folder) as held, held.stage() as stage:
        (stage / "a").write_text(text)
        raise ZeroDivisionError


def test_what_is_not_committed_leaves_no_trace(tmp_path):
    folder = tmp_path / "deep/run"
    with pytest.raises(ZeroDivisionError):
        put_and_fail(folder, "1")
    assert list(tmp_path.iterdir()) == [], "what was made is removed"
    put(folder, a="1")
    with pytest.raises(ZeroDivisionError):
        put_and_fail(folder, "2")
    assert found(folder) == {"a": "1"}


@pytest.mark.parametrize("moved", range(3))
def test_a_kill_in_the_midst_of_moving_is_finished_by_the_next(tmp_path, monkeypatch, moved):
    """Each file is moved, or removed, before the process ends, or after."""
    put(tmp_path, a="1", b="1", sub_c="1")
    left = moved

    def killed(*_):
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return real(*_)

    real = folders.replace
    with monkeypatch.context() as patch:
        patch.setattr(folders, "replace", killed)
        with pytest.raises(KeyboardInterrupt) if moved < 2 else pytest.MonkeyPatch.context():
            put(tmp_path, b="2", sub_c="2")
    assert (tmp_path / COMMITTED).exists() == (moved < 2)
    finish(tmp_path)
    assert found(tmp_path) == {"b": "2", "sub/c": "2"}
    assert not (tmp_path / COMMITTED).exists()


def keep(folder, ready, go):
    with hold(folder):
        ready.set()
        go.wait(60)


def test_the_second_is_refused_until_the_first_ends_however_it_ends(tmp_path):
    spawn = multiprocessing.get_context("fork")
    ready, go = spawn.Event(), spawn.Event()
    first = spawn.Process(target=keep, args=(tmp_path / "run", ready, go))
    first.start()
    assert ready.wait(60)
    with pytest.raises(lt.StorageError, match="another process is writing to"):
        put(tmp_path / "run", a="1")
    os.kill(first.pid, signal.SIGKILL)
    first.join()
    put(tmp_path / "run", a="1")
    assert found(tmp_path / "run") == {"a": "1"}, "the lock is free, and gone"


def test_within_one_process_too(tmp_path):
    with hold(tmp_path), pytest.raises(lt.StorageError, match="another process"):
        put(tmp_path, a="1")


def test_a_folder_that_is_removed_while_it_is_held_is_made_again(tmp_path):
    folder = tmp_path / "run"
    with hold(folder) as held:
        shutil.rmtree(folder)
        with held.stage() as stage:
            (stage / "a").write_text("1")
            held.commit({"a": stage / "a"}, OWN)
    assert found(folder) == {"a": "1"}


def put_and_lose(folder, again):
    with hold(folder) as held, held.stage() as stage:
        (stage / "a").write_text("1")
        shutil.rmtree(folder)
        if again:
            stage.mkdir(parents=True)
        held.commit({"a": stage / "a"}, OWN)


@pytest.mark.parametrize("again", [False, True])
def test_a_folder_that_is_removed_while_it_is_written_is_an_error(tmp_path, again):
    folder = tmp_path / "run"
    with pytest.raises(lt.StorageError, match="was removed by another process while it was written: a missing"):
        put_and_lose(folder, again)
    assert not folder.exists() or found(folder) == {}


def test_what_can_not_be_held_is_an_error(tmp_path):
    (tmp_path / "file").write_text("mine")
    for path in (tmp_path / "file", tmp_path / "file/run"):
        with pytest.raises(lt.StorageError, match="can't write"), hold(path):
            pass
