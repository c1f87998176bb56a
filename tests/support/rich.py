"""A database schema with every kind of object that a dump may hold, and some rows."""

RICH = """
CREATE SCHEMA shop;
CREATE TYPE shop.mood AS ENUM ('sad', 'glad');
CREATE DOMAIN shop.level AS int CHECK (VALUE BETWEEN 0 AND 7);
CREATE SEQUENCE shop.tickets INCREMENT 2;
CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.note := 'a
b'; RETURN NEW; END $$;
CREATE TABLE shop.users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(20));
CREATE TABLE shop.orders (
    id serial PRIMARY KEY, owner bigint REFERENCES shop.users (id), note text,
    state varchar(10) NOT NULL DEFAULT 'new', mood shop.mood, level shop.level,
    doubled int GENERATED ALWAYS AS (id * 2) STORED,
    CHECK (state IN ('new', 'paid')), CHECK (length(state::text) > 0 AND (id > 0 OR id < -5)));
CREATE INDEX orders_new ON shop.orders (owner) WHERE state IN ('new', 'open');
ALTER TABLE shop.orders ADD CONSTRAINT later CHECK (owner > 0) NOT VALID;
CREATE TRIGGER touch BEFORE INSERT ON shop.orders FOR EACH ROW
    WHEN (NEW.state IN ('new', 'paid')) EXECUTE FUNCTION shop.touch();
CREATE VIEW shop.open AS SELECT id, upper(state) AS s FROM shop.orders WHERE state IN ('new', 'x');
CREATE MATERIALIZED VIEW shop.much AS SELECT count(*) AS n FROM shop.orders;
CREATE TABLE shop.events (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE shop.events_1 PARTITION OF shop.events
    FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE shop."Odd ""% name" (i int);
ALTER TABLE shop.users ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON shop.users USING (name = current_user OR name IN ('a', 'b'));
CREATE AGGREGATE shop.total (int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
INSERT INTO shop.users (name) SELECT 'u' || i FROM generate_series(1, 5) i;
INSERT INTO shop.orders (owner) SELECT i FROM generate_series(1, 3) i;
INSERT INTO shop.events SELECT i, '2026-02-03' FROM generate_series(1, 7) i;
INSERT INTO shop."Odd ""% name" VALUES (1), (2);
"""
