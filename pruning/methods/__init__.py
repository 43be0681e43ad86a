"""Ways to make a small network of a teacher, one a module: the default one, and its rivals on the same ground."""
