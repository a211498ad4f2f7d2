"""What a user can jump to: people and conversations that the sidebar does not list."""
