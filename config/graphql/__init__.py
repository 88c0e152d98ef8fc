"""GraphQL documents as text: measured, validated and kept, for the API and the gateway alike."""
