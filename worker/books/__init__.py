"""The auditor of the books, which looks at tables alone: it shares no code with what keeps them."""
