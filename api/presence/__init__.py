"""Who is here now, as GraphQL shows it."""
