"""The project: settings, addresses, processes."""

import gc

# Every process of ours comes by here first. What a start makes is kept: looking through it again and again takes a tenth
# of the start. Afterwards cycles are still found, a little later.
gc.set_threshold(100_000)
