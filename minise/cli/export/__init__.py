"""`minise export`."""
