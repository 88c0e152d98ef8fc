"""The statements of a migration, taken apart."""

from api.ddl import statements


def test_a_semicolon_ends_a_statement_only_outside_of_texts_and_comments() -> None:
    """Seen failing with `sql.split(";")`."""
    sql = """-- a comment; with one
CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN ';'; END $$;
  /* another; one */ SELECT 'it''s; one', "odd;name" -- here; too
FROM t;

DO $body$ BEGIN PERFORM $$;$$; END $body$; SELECT 1"""
    assert statements(sql) == [
        "CREATE FUNCTION f() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN ';'; END $$",
        """SELECT 'it''s; one', "odd;name" -- here; too
FROM t""",
        "DO $body$ BEGIN PERFORM $$;$$; END $body$",
        "SELECT 1",
    ]
