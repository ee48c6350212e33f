"""The command line as a module: ``python -m simaie`` is the command ``simaie``."""

import sys

from simaie.cli import main

sys.exit(main())
