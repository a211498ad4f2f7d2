"""Custom emoji: images that admins upload, and that texts and reactions name between colons."""
