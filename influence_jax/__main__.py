"""``python -m influence_jax``."""

import sys

from influence_jax.cli import main

sys.exit(main())
