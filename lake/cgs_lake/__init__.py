"""Commits the sealed snapshots of a cgs-export store into Iceberg tables."""
