"""Subscriptions of GraphQL: what a document wants of a channel, and an event as each selection tells it."""
