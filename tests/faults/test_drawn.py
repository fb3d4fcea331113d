"""Random settings and command lines are valid or refused in a sentence; `drawn` draws more of them."""

from tests.faults import drawn


def test_configurations():
    counts, failed = drawn.examine(drawn.configurations(), drawn.check_configuration, 100)
    assert not failed, "\n".join(failed)
    assert counts["refused"] > 10 and counts["valid"] > 5, counts


def test_command_lines():
    with drawn.place_with_everything():
        counts, failed = drawn.examine(drawn.command_lines(), drawn.check_command_line, 200)
    assert not failed, "\n".join(failed)
    assert counts["refused"] > 10 and counts["valid"] > 2, counts


def test_an_update_of_what_is_valid_is_finite():
    counts, failed = drawn.examine(drawn.trainable(), drawn.check_training, 3)
    assert not failed, "\n".join(failed)
    assert counts["trained"], counts
