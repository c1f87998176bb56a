"""The support bundle: collect, mask, write, and look for leaks before it is handed over."""
