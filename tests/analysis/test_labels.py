"""Labels are distinct."""

import numpy as np

from influence_jax.analysis.labels import distinct, labels, texts


def test_values_have_as_many_digits_as_tell_them_apart():
    assert texts([1e-3, 3e-4, 2.5]) == ["0.001", "0.0003", "2.5"]
    assert texts([0.99, 0.9995, 0.9999, 0.99996]) == ["0.99", "0.9995", "0.9999", "0.99996"]
    assert texts([0.00123123, 0.00123456, 0.002]) == ["0.00123123", "0.00123456", "0.002"]
    assert texts([0.001234567891, 0.00123456999, 1 / 3]) == ["0.001234568", "0.00123457", "0.3333333"]
    near = [0.1, np.nextafter(0.1, 1)]
    assert len(set(texts(near))) == 2 and [float(text) for text in texts(near)] == near
    assert texts([(1.0, 0.99999), (1.0, 1.0)]) == ["(1, 0.99999)", "(1, 1)"]
    assert texts([2_000_000, 16, True, "shared"]) == ["2000000", "16", "True", "shared"]
    assert texts([0, 0.0, float("nan"), np.nan]) == ["0", "0", "nan", "nan"]


def test_labels_differ_where_settings_do_and_are_numbered_where_they_do_not():
    settings = [{"discount": 0.99996, "critic": "shared"}, {"discount": 0.99999, "critic": "shared"}]
    assert labels(settings) == ["discount 0.99996, critic shared", "discount 0.99999, critic shared"]
    assert labels([{"a": 1}, {"a": 2}, {"a": 1}]) == ["a 1", "a 2", "a 1 (2)"]
    assert labels([]) == [] and labels([{}, {}]) == ["", " (2)"]
    assert distinct(["a", "a (2)", "a", "a"]) == ["a", "a (2)", "a (3)", "a (4)"]
