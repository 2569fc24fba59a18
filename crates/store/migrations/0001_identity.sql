-- Who may come in, who may not any more, and what waits for a person's word.
-- Plain SQL that SQLite and PostgreSQL 13 read alike. Times are seconds since 1970-01-01 UTC.
-- Never change a migration that was released: its digest is kept in every database. Write the next one.

CREATE TABLE api_keys (
    id           TEXT   NOT NULL PRIMARY KEY,
    digest       TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    owner        TEXT   NOT NULL,
    tenant       TEXT,
    grants       TEXT   NOT NULL,
    created_at   BIGINT NOT NULL,
    created_by   TEXT   NOT NULL,
    expires_at   BIGINT,
    revoked_at   BIGINT,
    last_used_at BIGINT
);

CREATE INDEX api_keys_by_name ON api_keys (name);
CREATE INDEX api_keys_by_age ON api_keys (created_at, id);

CREATE TABLE revocations (
    id         TEXT   NOT NULL PRIMARY KEY,
    kind       TEXT   NOT NULL CHECK (kind IN ('jti', 'subject')),
    issuer     TEXT   NOT NULL,
    value      TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    revoked_at BIGINT NOT NULL,
    revoked_by TEXT   NOT NULL,
    until_at   BIGINT,
    UNIQUE (kind, issuer, value)
);

CREATE INDEX revocations_by_age ON revocations (revoked_at, id);

CREATE TABLE approvals (
    id               TEXT   NOT NULL PRIMARY KEY,
    state            TEXT   NOT NULL CHECK (state IN ('waiting', 'approved', 'denied', 'expired', 'withdrawn')),
    principal        TEXT   NOT NULL,
    action           TEXT   NOT NULL,
    server           TEXT   NOT NULL,
    name             TEXT   NOT NULL,
    arguments        TEXT   NOT NULL,
    arguments_digest TEXT   NOT NULL,
    policy           TEXT   NOT NULL,
    reason           TEXT   NOT NULL,
    asked_at         BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    decided_at       BIGINT,
    decided_by       TEXT,
    note             TEXT
);

CREATE INDEX approvals_by_age ON approvals (asked_at, id);
