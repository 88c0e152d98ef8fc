"""GraphQL over HTTP: the merged schema, limits before execution, cached documents, one context per request."""
