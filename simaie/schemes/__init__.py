"""The emulation schemes, one per file: how an emulator performs each class of guest access."""
