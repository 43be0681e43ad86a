"""SlimViz's dashboard: shows stored studies and asks their networks; trains nothing."""
