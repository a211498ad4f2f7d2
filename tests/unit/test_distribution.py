from chatapp.distribution import Distribution


def test_a_value_is_counted_in_the_first_bucket_whose_bound_is_not_below_it():
    distribution = Distribution((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 3.0):
        distribution.add(value)
    assert distribution.counts == [2, 1, 1]
    assert distribution.total == 3.65
