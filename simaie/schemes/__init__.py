"""The emulation schemes, one file each: how an emulator performs every class of guest access."""
