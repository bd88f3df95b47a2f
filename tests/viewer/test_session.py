import numpy as np
import pytest

from fewstain.dataset import open_dataset
from fewstain.errors import UserError
from fewstain.images.read import read_labels
from fewstain.images.write import write_labels
from fewstain.viewer.session import Origin, begin, resume, suggest_new
from fewstain.viewer.study import Study, locate


def start(study, **given):
    return begin(study, suggest_new(study, **given))


@pytest.fixture
def session(project):
    """Four windows of 32 x 32; that of labels/ is not among them."""
    return start(locate(project.data), n=4, size=32)


def test_labeled_windows_are_not_suggested_and_the_list_is_kept(session, project):
    assert len(session.windows) == 4
    assert "a__y0_x0" not in [window.name for window in session.windows]
    assert resume(locate(project.data)) == session


def test_a_window_opens_with_the_objects_of_the_last_runs_mask(project):
    session = start(locate(project.data), n=99, size=32)  # all there are
    window = next(window for window in session.windows if window.name == "b__y32_x32")
    opened = session.open(window)
    mask = read_labels(session.study.mask(window.image.stem))
    expected = mask[window.y : window.y + 32, window.x : window.x + 32]
    assert ((opened.labels > 0) == (expected > 0)).all()
    assert opened.origin is Origin.GUESS


def test_without_results_a_window_is_empty(project, session):
    alone = session.__class__(Study(project.data), session.windows)
    opened = alone.open(session.windows[0])
    assert opened.origin is Origin.EMPTY
    assert opened.guess is None
    assert not opened.labels.any()


def test_a_draft_outlives_the_program_and_goes_when_saved(session, project):
    window = session.windows[0]
    drawn = np.zeros((32, 32), np.int32)
    drawn[3, 3:9] = 7
    session.keep_draft(window, drawn)
    again = resume(locate(project.data))
    assert again.open(window).origin is Origin.DRAFT
    assert (again.open(window).labels == drawn).all()
    assert not again.is_done(window)
    path = again.save(window, drawn)
    assert path == project.data / "labels" / f"{window.name}.tif"
    assert (read_labels(path) == drawn).all()
    assert again.open(window).origin is Origin.SAVED
    assert not again.draft(window).exists()


def test_drafts_and_the_list_are_no_labels(session, project):
    session.keep_draft(session.windows[0], np.ones((32, 32), int))
    assert [window.name for window in open_dataset(project.data).windows] == ["a__y0_x0"]
    session.save(session.windows[0], np.ones((32, 32), int))
    assert len(open_dataset(project.data).windows) == 2


def test_progress_and_the_next_window(session):
    assert (session.done, session.next_open()) == (0, 0)
    session.save(session.windows[1], np.ones((32, 32), int))
    assert session.done == 1
    assert [session.next_open(after) for after in (0, 1, 3)] == [2, 2, 0]
    for window in session.windows:
        session.save(window, np.ones((32, 32), int))
    assert session.next_open() is None


def test_suggesting_anew_adds_windows_to_what_was_begun(session, project):
    session.save(session.windows[0], np.ones((32, 32), int))
    session.keep_draft(session.windows[1], np.ones((32, 32), int))
    fresh = start(locate(project.data), n=3, size=32, seed=3)
    assert fresh.windows[:2] == session.windows[:2]
    assert len(fresh.windows) == 5
    assert len(set(fresh.windows)) == 5


def test_after_the_last_window_new_ones_are_suggested(session, project):
    for window in session.windows:
        session.save(window, np.ones((32, 32), int))
    fresh = start(locate(project.data), n=2, size=32)
    assert fresh.windows[:4] == session.windows
    assert len(fresh.windows) == 6
    assert fresh.next_open() == 4


def test_windows_begun_while_others_were_chosen_stay_in_the_list(session, project):
    study = locate(project.data)
    new = suggest_new(study, n=4, size=32)  # nothing was begun: the same four
    session.keep_draft(session.windows[2], np.ones((32, 32), int))
    assert begin(study, new).windows == (session.windows[2], *(each for each in new if each != session.windows[2]))


def test_a_window_drawn_in_after_it_was_saved_is_not_done(session):
    window, saved, changed = session.windows[0], np.ones((32, 32), int), np.eye(32, dtype=int)
    for each in session.windows:
        session.save(each, saved)
    session.keep_draft(window, changed)
    assert session.is_unsaved(window)
    assert (session.done, session.next_open()) == (3, 0)
    session.keep_draft(window, saved)  # undone
    assert (session.done, session.next_open()) == (4, None)
    assert not session.draft(window).exists()


def test_a_draft_is_kept_beside_a_label_file_that_cannot_be_read(session):
    window = session.windows[0]
    session.file(window).write_bytes(b"no TIFF")
    session.keep_draft(window, np.ones((32, 32), int))
    assert session.draft(window).is_file()


def test_a_draft_that_is_given_up_is_moved_beside(session):
    window, drawn = session.windows[0], np.eye(32, dtype=np.int32)
    assert session.discard_draft(window) is None
    session.keep_draft(window, drawn)
    moved = session.discard_draft(window)
    assert moved == session.draft(window).with_name(f"{window.name}.old.tif")
    assert (read_labels(moved) == drawn).all()
    assert not session.is_unsaved(window)
    assert session.discard_draft(window) is None
    assert moved.is_file()


def test_windows_are_compared_by_the_channels_of_the_project(project):
    (project.folder / "config.yaml").write_text("datasets:\n  cells:\n    channels: [0]\n")
    asked = []
    suggest_new(locate(project.data), suggest=lambda images, **given: asked.append(given) or [])
    assert (asked[0]["channels"], asked[0]["results"]) == ((0,), project.results)


def test_a_label_file_of_another_size_is_told(session):
    write_labels(session.file(session.windows[0]), np.ones((5, 5), int))
    with pytest.raises(UserError, match="not of the window's size, 32 × 32"):
        session.open(session.windows[0])


def test_a_damaged_list_is_told(session, project):
    (project.data / "labels" / ".windows.json").write_text('{"windows": [{"name": "../x"}]}')
    with pytest.raises(UserError, match="suggest windows again"):
        resume(locate(project.data))
