-- Whose events wait: a new one may overtake those of others while a backlog drains, never an older one of the same person.
CREATE INDEX outbox_person ON outbox ((event #>> '{user,id}'), id);
