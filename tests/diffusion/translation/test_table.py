import numpy as np

from fewstain.diffusion.translation.table import LEVELS, apply_table, fit_table


def test_it_is_the_mean_target_at_each_level_and_a_line_between():
    source = np.array([[[-1, -1, 1, 1]]])
    target = np.array([[[0.0, 0.5, -1, -1]], [[1, 1, 0, 0.2]]])
    table = fit_table([(source, target)])
    np.testing.assert_allclose(table[0], [0.25, 1])
    np.testing.assert_allclose(table[LEVELS - 1], [-1, 0.1])
    np.testing.assert_allclose(table[85], [0.25 - 1.25 / 3, 1 - 0.9 / 3])
    np.testing.assert_allclose(apply_table(table, source)[0, 0], [0.25, 0.25, -1, -1])


def test_no_other_table_has_less_squared_error():
    random = np.random.default_rng(0)
    pairs = [(random.uniform(-1, 1, (1, 9, 9)), random.uniform(-1, 1, (3, 9, 9))) for _ in range(3)]
    table = fit_table(pairs)

    def error(candidate):
        return sum(np.square(target - apply_table(candidate, source)).sum() for source, target in pairs)

    for _ in range(5):
        assert error(table + random.normal(0, 0.01, table.shape)) > error(table)


def test_of_several_source_channels_the_mean_counts():
    source = np.array([[[-1.0, 0.6]], [[1.0, 0.4]]])
    table = fit_table([(source, np.array([[[0.3, -0.3]]]))])
    np.testing.assert_allclose(apply_table(table, np.array([[[0.0, 0.5]]]))[0], [[0.3, -0.3]], atol=1e-6)
