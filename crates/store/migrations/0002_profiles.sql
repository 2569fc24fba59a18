-- Which profile applies to somebody. `principal` is a SHA-256 of who it is: no name is kept here.

CREATE TABLE profile_choices (
    principal TEXT   NOT NULL PRIMARY KEY,
    profile   TEXT   NOT NULL,
    chosen_at BIGINT NOT NULL
);
