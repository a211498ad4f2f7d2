"""Pictures of people and rooms over the API."""
