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
