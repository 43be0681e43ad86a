"""The study folder: its document, arrays, reading, writing, checking, and the networks in it."""
