"""Files that `uptake init` puts in place: an example configuration and its tool catalogue."""
