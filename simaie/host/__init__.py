"""The host on which the emulator runs: guest RAM, the emulator's cells and locks, and the host memory models."""
