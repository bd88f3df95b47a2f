import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

from fewstain.check import check_dataset
from fewstain.images.read import read_image, read_labels, stem

SIDE = 40


def picture(seed: int, shape=(SIDE, SIDE), dtype=np.uint8) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, shape).astype(dtype)


def two_objects(shape=(SIDE, SIDE)) -> np.ndarray:
    labels = np.zeros(shape, np.uint16)
    labels[2:8, 2:8], labels[12:18, 2:8] = 1, 2
    return labels


def put(path: Path, array: np.ndarray, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    tifffile.imwrite(path, array, **options)
    return path


@pytest.fixture
def root(tmp_path):
    """A sound dataset: three images, 20 labels."""
    for seed, name in enumerate("abc"):
        put(tmp_path / "images" / f"{name}.tif", picture(seed, (200, 100)))
    for y in range(0, 200, 40):
        for x in range(0, 80, 40):
            for name in "ab":
                put(tmp_path / "labels" / f"{name}__y{y}_x{x}.tif", two_objects())
    put(tmp_path / "test" / "images" / "t.tif", picture(9))
    put(tmp_path / "test" / "labels" / "t.tif", two_objects())
    return tmp_path


def faults(problems, name):
    return [problem.fault for problem in problems if Path(problem.file).name == name]


def test_a_sound_dataset(root):
    report = check_dataset(root)
    assert (report.errors, report.warnings, report.notes) == ([], [], [])
    assert (report.n_images, report.n_labels, report.n_objects, report.n_test, report.n_test_labeled) == (
        3,
        20,
        40,
        1,
        1,
    )
    assert (report.channels, report.dtype) == (1, "uint8")
    assert set(report.hashes) == {"a.tif", "b.tif", "c.tif"}
    assert json.loads(json.dumps(report.as_dict()))["ok"]


def test_every_problem_is_told_at_once(root):
    images, labels, test = root / "images", root / "labels", root / "test"
    put(images / "cut.tif", picture(20, (200, 100)))
    (images / "cut.tif").write_bytes((images / "cut.tif").read_bytes()[:5000])
    put(images / "rgb.tif", picture(21, (200, 100, 3)), photometric="rgb")
    put(images / "deep.tif", picture(22, (200, 100), np.uint16))
    put(images / "stack.tif", picture(23, (4, 200, 100)), metadata={"axes": "ZYX"}, photometric="minisblack")
    put(images / "tiny.tif", picture(24, (8, 100)))
    put(images / "nan.tif", np.full((200, 100), np.nan, np.float32))
    put(images / "a.tiff", picture(25, (200, 100)))
    (images / "Capitals.btf").write_bytes(b"")
    put(images / "capitals.tif", picture(26, (200, 100)))
    put(test / "images" / "u {1}.tif", picture(26))
    (images / "dead.tif").symlink_to(root / "nowhere.tif")
    put(labels / "stranger.tif", two_objects())
    put(labels / "c.tif", two_objects())
    put(labels / "c__y190_x0.tif", two_objects())
    put(labels / "c__y0_x0.tif", two_objects().astype(np.float32))
    put(labels / "c__y0_x1.tif", np.stack([two_objects().astype(np.uint8)] * 3, -1), photometric="rgb")
    put(labels / "c__y0_x2.tif", two_objects().astype(np.int16) - 1)
    put(test / "images" / "leak.tif", read_image(images / "b.tif").pixels[..., 0], compression="zlib")
    put(test / "labels" / "leak.tif", two_objects())
    (labels / "classes.csv").write_text("file,label,class\na__y0_x0,1,x\na__y0_x0,9,x\nghost,1,x\n")
    report = check_dataset(root)
    expected = {
        "cut.tif": "truncated",
        "rgb.tif": "3 channels of uint8, where",
        "deep.tif": "1 channel of uint16, where",
        "stack.tif": "a Z stack of 4 planes",
        "tiny.tif": "too small for the model",
        "nan.tif": "NaN",
        "a.tiff": "same name as a.tif",
        "capitals.tif": "same name as Capitals.btf",
        "u {1}.tif": "{ or } in its name",
        "dead.tif": "a link to a file that is not there",
        "stranger.tif": "no image stranger",
        "c.tif": "labels of 40 × 40 for an image of 200 × 100",
        "c__y190_x0.tif": "reaches outside its image",
        "c__y0_x0.tif": "float32, not integers",
        "c__y0_x1.tif": "3 channels",
        "c__y0_x2.tif": "negative",
    }
    told = {Path(problem.file).name: problem.fault for problem in report.errors}
    for name, fault in expected.items():
        assert fault in told[name], name
    leaks = [str(problem) for problem in report.errors if problem.file.endswith("leak.tif")]
    assert len(leaks) == 2
    assert any("same pixels as" in text for text in leaks)
    of_classes = faults(report.errors, "classes.csv")
    assert [fault for fault in of_classes if not fault.startswith("no classes for ")] == [
        "a__y0_x0 has no object 9",
        "a__y0_x0: no class for object 2",
        f"no usable label file ghost in {labels}",
    ]
    assert "no classes for b__y0_x0" in of_classes
    assert all(problem.remedy and problem.file.startswith(str(root)) for problem in report.errors + report.warnings)
    assert report.n_images == 3 + 3


def test_warnings(root):
    put(root / "images" / "again.tif", read_image(root / "images" / "a.tif").pixels[..., 0], compression="zlib")
    put(root / "images" / "flat.tif", np.full((200, 100), 7, np.uint8))
    (root / "images" / "notes.txt").write_text("")
    (root / "images" / "folder").mkdir()
    pieces = two_objects()
    pieces[30:33, 30:33] = 1
    put(root / "labels" / "c__y0_x0.tif", pieces)
    put(root / "labels" / "c__y100_x0.tif", np.eye(SIDE, dtype=np.uint8))
    put(root / "labels" / "a__y0_x10.tif", two_objects())
    report = check_dataset(root)
    assert report.ok
    assert faults(report.warnings, "again.tif") + faults(report.warnings, "a.tif") == ["has the same pixels as a.tif"]
    assert faults(report.warnings, "flat.tif") == ["every pixel has the same value"]
    assert faults(report.warnings, "notes.txt") == ["not a format that is read here, left out"]
    assert faults(report.warnings, "folder") == ["a folder, not read"]
    assert faults(report.warnings, "c__y0_x0.tif") == ["object 1 in several pieces"]
    assert faults(report.warnings, "c__y100_x0.tif") == ["1 object in it"]
    assert "overlaps a__y0_x0.tif" in faults(report.warnings, "a__y0_x10.tif")


def window_of_parts(whole: int, cut: int) -> np.ndarray:
    """So many small squares that lie in a window whole, and so many at its upper edge."""
    labels = np.zeros((SIDE, SIDE), np.uint16)
    for number in range(cut):
        labels[:4, 1 + 6 * number : 5 + 6 * number] = number + 1
    for number in range(whole):
        row, column = divmod(number, 6)
        labels[8 + 6 * row : 12 + 6 * row, 1 + 6 * column : 5 + 6 * column] = cut + number + 1
    return labels


def window_of_classes(*values: int) -> np.ndarray:
    """36 small squares, which have these values in turn."""
    labels = window_of_parts(30, 6)
    return np.where(labels > 0, np.array(values, np.uint16)[labels % len(values)], 0).astype(np.uint16)


@pytest.mark.parametrize("labels", [window_of_classes(1, 2), window_of_classes(255), window_of_classes(1), picture(3)])
def test_what_does_not_number_the_objects_is_refused(root, labels):
    put(root / "labels" / "a__y0_x0.tif", labels)
    put(root / "test" / "labels" / "t.tif", labels)
    report = check_dataset(root)
    told = [each for each in report.errors if "not one number per object" in each.fault]
    assert [Path(each.file).name for each in told] == ["a__y0_x0.tif", "t.tif"]
    assert all("Fiji: Analyze Particles > Count Masks" in each.remedy for each in told)
    assert (report.n_labels, report.n_test_labeled) == (19, 0)


@pytest.mark.parametrize(
    ("folder", "told"),
    [
        ("label", "did you mean 'labels'?"),
        ("Image", "did you mean 'images'?"),
        ("tests", "did you mean 'test'?"),
        ("masks", "valid are: images, labels, test"),
        ("test/image", "did you mean 'images'?"),
        ("test/truth", "valid are: images, labels"),
    ],
)
def test_a_folder_of_another_name_is_told(root, folder, told):
    (root / folder).mkdir()
    (root / "labels" / ".drafts").mkdir()
    (root / ".cache").mkdir()
    (root / "words.txt").write_text("")
    report = check_dataset(root)
    (problem,) = report.warnings
    assert (problem.file, problem.fault) == (str(root / folder), "a folder that is not read")
    assert problem.remedy == told
    assert report.ok


@pytest.mark.parametrize("folder", ["labels", "test/labels"])
def test_labels_of_which_none_can_be_read_are_refused(root, folder):
    for path in (root / folder).iterdir():
        path.rename(path.with_name(f"{path.stem}_seg.npy"))
    (root / folder / "classes.csv").write_text("file,label,class\n")
    count = len(list((root / folder).iterdir())) - 1
    (problem,) = check_dataset(root).errors
    assert problem.file == str(root / folder)
    assert problem.fault == f"{count} file{'s' if count > 1 else ''}, none of a format that is read here"
    assert "TIFF or PNG" in problem.remedy


@pytest.mark.parametrize(
    ("kept", "ok", "warned"), [(1, False, True), (2, True, True), (5, True, True), (20, True, False)]
)
def test_how_many_labels_are_enough(root, kept, ok, warned):
    for path in sorted((root / "labels").iterdir())[kept:]:
        path.unlink()
    report = check_dataset(root)
    assert report.ok == ok
    assert bool(faults(report.warnings, "labels")) == warned


@pytest.mark.parametrize(("height", "ok"), [(256, False), (300, True)])
def test_one_label_is_enough_where_it_is_large(tmp_path, height, ok):
    put(tmp_path / "images" / "a.tif", picture(0, (height, 40)))
    put(tmp_path / "labels" / "a.tif", two_objects((height, 40)))
    report = check_dataset(tmp_path)
    assert report.ok == ok
    told = faults(report.warnings if ok else report.errors, "labels")
    assert told[0].startswith("2 labeled windows" if ok else "labeled windows: 1, files with two objects or more: 1;")


@pytest.mark.parametrize(
    ("whole", "cut", "error", "warning"),
    [
        (0, 2, "40 of 40 objects are cut by their window's edge, none lies whole", None),
        (1, 5, None, "100 of 120 objects are cut by their window's edge; sizes and scores are of the few"),
        (1, 4, None, None),
    ],
)
def test_objects_must_lie_in_their_window_whole(root, whole, cut, error, warning):
    for path in (root / "labels").iterdir():
        put(path, window_of_parts(whole, cut))
    report = check_dataset(root)
    assert (report.n_objects, report.n_whole_objects) == (20 * (whole + cut), 20 * whole)
    for problems, expected in ((report.errors, error), (report.warnings, warning)):
        told = [problem for problem in problems if Path(problem.file).name == "labels"]
        assert [problem.fault.startswith(expected or "") for problem in told] == [True] * bool(expected)
        assert all("three objects wide" in problem.remedy for problem in told)


def test_few_whole_objects_are_told(root):
    for number, path in enumerate(sorted((root / "labels").iterdir())):
        put(path, window_of_parts(2, 1) if number < 9 else window_of_parts(0, 0))
    (told,) = [each for each in check_dataset(root).warnings if Path(each.file).name == "labels"]
    assert told.fault.startswith("18 whole objects in all labels")


def test_no_labels_suggest_some(root):
    for path in (root / "labels").iterdir():
        path.unlink()
    report = check_dataset(root, n_suggestions=2)
    assert report.ok
    assert len(report.suggestions) == 2
    assert all(stem(name).startswith(("a__y", "b__y", "c__y")) for name in report.suggestions)
    assert "now label some windows" in report.notes[0]


def test_settings_are_compared_with_the_files(root):
    report = check_dataset(root, channels=[0, 3])
    assert faults(report.errors, "images") == ["no channel 3: the images have 1"]
    put(root / "images" / "d.tif", picture(30), resolution=(20000, 20000), resolutionunit="CENTIMETER")
    report = check_dataset(root, pixel_size_um=0.25)
    assert faults(report.warnings, "d.tif") == ["says 0.5 µm a pixel, config.yaml 0.25"]


@pytest.mark.parametrize(("pixel_size_um", "told"), [(None, 1), (0.7, 0)])
def test_pixels_that_are_not_square_are_told(root, pixel_size_um, told):
    metadata = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 1.0}
    put(root / "test" / "images" / "t.tif", picture(9), ome=True, metadata=metadata)
    found = [each for each in check_dataset(root, pixel_size_um=pixel_size_um).warnings if "square" in each.fault]
    assert [Path(each.file).name for each in found] == ["t.tif"] * told
    assert all("resample to square pixels, or set pixel_size_um" in each.remedy for each in found)


def three_channels(root, rgb):
    """Replace the images by some of three channels: RGB by their files, or not."""
    for (seed, name), coloured in zip(enumerate("abc"), rgb, strict=True):
        options = {"photometric": "rgb"} if coloured else {"photometric": "minisblack", "planarconfig": "contig"}
        put(root / "images" / f"{name}.tif", picture(seed, (200, 100, 3)), **options)
    (root / "test" / "images" / "t.tif").unlink()
    (root / "test" / "labels" / "t.tif").unlink()
    return root


@pytest.mark.parametrize(
    ("rgb", "told"),
    [
        (True, "3 images are RGB by their files: the three channels are normalised together"),
        (
            False,
            "3 images of three channels, which are no colours by their files: each channel is normalised by itself",
        ),
    ],
)
def test_what_three_channels_are_taken_for_is_told(root, rgb, told):
    three_channels(root, [rgb] * 3)
    report = check_dataset(root)
    (note,) = report.notes
    assert told in note
    assert ("`channels:` in config.yaml" in note) == rgb
    assert report.warnings == report.errors == []
    assert len(check_dataset(root, channels=[2, 1, 0]).notes) == 1
    assert check_dataset(root, channels=[0, 1]).notes == []


@pytest.mark.parametrize(("rgb", "name"), [([True, True, False], "c.tif"), ([False, True, False], "b.tif")])
def test_rgb_beside_other_channels_is_warned_of(root, rgb, name):
    report = check_dataset(three_channels(root, rgb))
    assert [Path(each.file).name for each in report.warnings] == [name]
    assert "unlike 2 of 3 images: each channel is normalised by itself in all" in report.warnings[0].fault
    assert report.notes == report.errors == []


def test_absent_and_empty_folders(tmp_path):
    absent = check_dataset(tmp_path / "none").errors[0]
    assert "no folder images/" in absent.fault
    assert absent.remedy == f"make the folder {tmp_path / 'none' / 'images'} and put images there"
    assert "`fewstain init " in check_dataset(tmp_path / "data" / "none").errors[0].remedy
    (tmp_path / "Image").mkdir()
    misspelt = check_dataset(tmp_path)
    assert "no folder images/" in misspelt.errors[0].fault
    assert misspelt.warnings[0].remedy == "did you mean 'images'?"
    (tmp_path / "Image").rename(tmp_path / "images")
    assert check_dataset(tmp_path).errors[0].fault == "no images"


@pytest.mark.parametrize("stain", ["fluorescence", "histology", "brightfield", "tissue-dapi", "phase-contrast"])
def test_real_stains_pass(shared_data, tmp_path, stain):
    source = shared_data / stain
    (tmp_path / "images").mkdir()
    windows = json.loads((source / "few-labels.json").read_text())
    chosen = windows["seeds"]["0"][:5]
    names = {window["image"] for window in chosen}
    for path in sorted((source / "images").iterdir()):
        if stem(path) in names or len(list((tmp_path / "images").iterdir())) < 8:
            (tmp_path / "images" / path.name).symlink_to(path)
    for window in chosen:
        y, x, side = window["y"], window["x"], windows["crop"]
        labels = read_labels(source / "full-labels" / f"{window['image']}.tif")[y : y + side, x : x + side]
        put(tmp_path / "labels" / f"{window['image']}__y{y}_x{x}.tif", labels.astype(np.uint16))
    (tmp_path / "test").symlink_to(source / "test")
    report = check_dataset(tmp_path)
    assert report.errors == []
    assert report.n_labels == 5
