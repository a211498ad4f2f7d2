"""API tokens and the page on which users create and revoke them."""
