"""What a user can jump to or forward messages to: people and conversations that the sidebar does not list, too."""
