import pytest

from fewstain.evaluate.counts import count_agreement


def test_bias_and_limits_of_four_images():
    agreement = count_agreement([12, 9, 10, 5], [10, 10, 10, 4])
    assert agreement.bias == 0.5
    # differences 2, -1, 0, 1: sample standard deviation sqrt(5 / 3)
    assert agreement.limits_95 == pytest.approx((0.5 - 1.96 * (5 / 3) ** 0.5, 0.5 + 1.96 * (5 / 3) ** 0.5))


def test_one_image_has_a_bias_but_no_limits():
    assert count_agreement([3], [5]) == (-2.0, None)


def test_no_image_has_neither():
    assert count_agreement([], []) == (None, None)


def test_refuses_unequal_lengths():
    with pytest.raises(ValueError, match="1 predicted counts for 2"):
        count_agreement([1], [1, 2])
