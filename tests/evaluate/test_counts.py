import pytest

from fewstain.evaluate.counts import count_agreement, relative_bias


def test_bias_and_limits_of_four_images():
    agreement = count_agreement([12, 9, 10, 5], [10, 10, 10, 4])
    assert agreement.bias == 0.5
    # differences 2, -1, 0, 1: sample standard deviation sqrt(5 / 3)
    assert agreement.limits_95 == pytest.approx((0.5 - 1.96 * (5 / 3) ** 0.5, 0.5 + 1.96 * (5 / 3) ** 0.5))


def test_one_image_has_a_bias_but_no_limits():
    assert count_agreement([3], [5]) == (-2.0, None)


def test_no_image_has_neither():
    assert count_agreement([], []) == (None, None)


@pytest.mark.parametrize("count", [count_agreement, relative_bias])
def test_refuses_unequal_lengths(count):
    with pytest.raises(ValueError, match="1 predicted counts for 2"):
        count([1], [1, 2])


def test_relative_bias_is_of_all_objects_together():
    bias, interval = relative_bias([9, 90], [10, 100])
    assert bias == pytest.approx(-0.1)
    assert interval == pytest.approx((-0.1, -0.1))  # both images tell the same
    bias, (low, high) = relative_bias([8, 12, 10, 10], [10, 10, 10, 10])
    assert bias == 0
    assert -0.2 <= low < 0 < high <= 0.2


def test_relative_bias_where_there_is_too_little():
    assert relative_bias([], []) == (None, None)
    assert relative_bias([3], [0]) == (None, None)
    assert relative_bias([3], [4]) == (-0.25, None)
    assert relative_bias([0, 3], [0, 4]).interval_95 == (-0.25, -0.25)  # samples without a true object are left out
