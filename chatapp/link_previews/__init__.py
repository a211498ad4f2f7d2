"""Previews of links: the server fetches the pages that new messages link to, and stores what it finds there."""
