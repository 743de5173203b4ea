"""``python -m linden_launchers`` is space-cluster."""

import sys

from .cli import main

sys.exit(main())
