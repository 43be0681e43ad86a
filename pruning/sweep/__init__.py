"""Many networks in one go: tasks x methods x budgets x seeds, each a cell that is made, measured and stored once."""
