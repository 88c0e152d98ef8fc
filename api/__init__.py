"""The API: decides and commits. GraphQL for data, a few HTTP routes beside it."""
