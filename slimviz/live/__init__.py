"""Networks at work: the dashboard's only torch, imported inside functions so that other pages never wait for it."""
