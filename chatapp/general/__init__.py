"""The general chat, of which every user is a member."""
