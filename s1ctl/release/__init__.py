"""What a release says: manifest, settings, Compose file, path rules. No network."""
