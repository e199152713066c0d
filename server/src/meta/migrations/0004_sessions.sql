-- A session is a cookie with a secret; only its hash is kept. authenticated_at is when its user last gave a password
-- or signed on.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    secret_hash TEXT NOT NULL UNIQUE,
    authenticated_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX sessions_by_user ON sessions (user_id, authenticated_at);

CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Who a user is at a provider that users sign on with: its issuer, and the subject that it has given the user.
CREATE TABLE user_identities (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id BIGINT NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject)
);
