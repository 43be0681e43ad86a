"""What pages share: their frame, links, and widgets whose values live in the URL."""
