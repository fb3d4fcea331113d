"""What tests of sweeps share."""

import pytest


@pytest.fixture
def storage(tmp_path):
    return f"sqlite:///{tmp_path}/study.db"
