-- The three roles of the product: one owns the tables and migrates, the API's and the worker's serve and own nothing.
-- Run by the superuser of an embedded cluster at each start.
-- setup.owner_password, setup.application_password, setup.worker_password: settings of the session
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'musclemap_owner') THEN
    CREATE ROLE musclemap_owner LOGIN CREATEROLE;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'musclemap_app') THEN
    CREATE ROLE musclemap_app LOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'musclemap_worker') THEN
    CREATE ROLE musclemap_worker LOGIN;
  END IF;
  -- Since PostgreSQL 16 a role may change only roles that it administers.
  GRANT musclemap_app, musclemap_worker TO musclemap_owner WITH ADMIN OPTION;
  EXECUTE format('ALTER ROLE musclemap_owner PASSWORD %L', current_setting('setup.owner_password'));
  EXECUTE format('ALTER ROLE musclemap_app PASSWORD %L', current_setting('setup.application_password'));
  EXECUTE format('ALTER ROLE musclemap_worker PASSWORD %L', current_setting('setup.worker_password'));
END
$$;
