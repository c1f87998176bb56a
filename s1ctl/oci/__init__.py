"""OCI words and wire: digests, references, manifests, layouts, registries."""
