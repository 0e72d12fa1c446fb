"""The operations of `minise.ops` made fast. `minise.backend` finds them by their names."""
