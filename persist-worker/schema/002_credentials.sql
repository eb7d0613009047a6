-- Passwords of those who registered here, read and written by auth-workers alone. A user known from a
-- token or another service has no row. It is made in one statement with the row in users.
create table credentials (
    user_id          text collate "C" primary key,
    -- Argon2id in its text form: algorithm, settings, salt and hash
    password_hash    text not null check (octet_length(password_hash) between 1 and 128),
    -- of the request that made the user: repeated, it is answered as the first time
    registration_key text not null check (octet_length(registration_key) between 1 and 64),
    created_at       timestamptz not null default now()
);
