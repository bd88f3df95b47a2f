from fewstain.pair_folders import pair_folder_name, pair_folder_number, pair_folders


def test_a_folders_name_tells_its_number():
    names = ["pairs", "pairs-2", "pairs-10"]
    assert [pair_folder_number(name) for name in names] == [1, 2, 10]
    assert [pair_folder_name(number) for number in (1, 2, 10)] == names
    others = ["pairs-1", "pairs-02", "pairs-0", "pairs-old", "masks", "pairs2"]
    assert [pair_folder_number(name) for name in others] == [None] * 6


def test_folders_come_in_the_order_of_their_numbers(tmp_path):
    for name in ("pairs-10", "pairs-2", "pairs", "masks"):
        (tmp_path / name).mkdir()
    (tmp_path / "pairs-3").write_text("a file")
    assert [path.name for path in pair_folders(tmp_path)] == ["pairs", "pairs-2", "pairs-10"]
