"""Signatures over bytes: keys, envelopes, roots. Knows nothing of bundles."""
