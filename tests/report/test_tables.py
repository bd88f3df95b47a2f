import pandas as pd

from fewstain.report.tables import cell, count_table, page, score_table, time_table


def test_cells_are_short_and_empty_for_nothing():
    assert [cell(value) for value in (None, float("nan"), 0.123456, True, False, [1, 2.5], {"a": 1}, "x")] == [
        *("", "", "0.1235", "yes", "", "1, 2.5", "a 1", "x"),
    ]


def test_page_escapes_what_comes_from_files():
    text = page("<a>", [("", "", pd.DataFrame({"image": ["<script>"]})), ("empty", "", pd.DataFrame())])
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "none" in text


def test_scores_stand_side_by_side_without_a_test_too():
    scores = {"test": None, "out_of_fold": {"AP50": 0.5, "count_limits_95": [-1, 2], "AP": None}}
    table = score_table(scores)
    assert list(table["score"]) == ["AP50", "count_limits_95"]
    assert list(table["out_of_fold"]) == [0.5, [-1, 2]]
    assert list(table["test"]) == [None, None]


def test_out_of_fold_scores_are_of_windows():
    test = {"n_images": 2, "count_relative_bias": -0.1, "IoU": {"background": 0.9, "big": 0.5}}
    scores = {"test": test, "out_of_fold": {"n_images": 9}}
    table = score_table(scores).set_index("score")
    assert table.loc["count_relative_bias", "test"] == -0.1
    assert cell(table.loc["IoU", "test"]) == "background 0.9, big 0.5"
    assert list(table.loc["n_images"]) == [2, None]
    assert list(table.loc["n_windows"]) == [None, 9]


def test_images_to_look_at_come_first():
    counts = pd.DataFrame(
        {"image": ["a", "b", "c"], "look_at_this_one": [False, True, False], "mean_uncertainty": [0.1, 0.2, 0.3]}
    )
    assert list(count_table(counts)["image"]) == ["b", "c", "a"]


def test_times_add_up():
    table = time_table(
        {"check": pd.DataFrame({"s": [1.5], "max_rss": ["-"]}), "fit": pd.DataFrame({"s": [2.0], "max_rss": [90]})}
    )
    assert list(table["job"]) == ["check", "fit", "all"]
    assert list(table["seconds"]) == [1.5, 2.0, 3.5]


def test_shards_of_a_step_are_one_row():
    parts = {
        f"pairs-{shard}-of-2": pd.DataFrame({"s": [1.0 + shard], "max_rss": [memory]})
        for shard, memory in ((1, "-"), (2, 70))
    }
    table = time_table({**parts, "gather-pairs": pd.DataFrame({"s": [0.5], "max_rss": [20]})})
    assert list(table["job"]) == ["pairs", "gather-pairs", "all"]
    assert list(table["seconds"]) == [5.0, 0.5, 5.5]
    assert list(table["peak memory, MiB"])[:2] == [70, 20]
