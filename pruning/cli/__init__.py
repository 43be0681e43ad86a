"""The command line: options, printing, one module a command."""
