"""pytester, which runs the plug-in's tests, may only be asked for here."""

pytest_plugins = "pytester"
