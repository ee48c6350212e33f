"""``python -m simaie`` is ``simaie``."""

import sys

from simaie.cli import main

sys.exit(main())
