"""The host that the emulator runs on: guest RAM, the emulator's cells and locks, and the memory models over them."""
