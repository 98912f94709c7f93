-- Times are milliseconds since 1970. Ids of entries sort by time, so that entries are appended and never inserted between.

CREATE TABLE entries (
    id           INTEGER PRIMARY KEY,
    received     INTEGER NOT NULL,
    sender       TEXT NOT NULL,
    receiver     TEXT NOT NULL,
    reach        TEXT NOT NULL,           -- JSON: whose subscriptions its events may reach
    peer         TEXT NOT NULL,
    headers      TEXT NOT NULL,           -- JSON: [[name, value]], secrets removed
    body         BLOB NOT NULL,
    verdict      TEXT NOT NULL,
    reason       TEXT NOT NULL,
    duplicate_of INTEGER,
    events       TEXT NOT NULL,           -- JSON: the events that are followed up
    keys         BLOB NOT NULL,           -- 16 bytes for each key in `seen`
    matched      INTEGER,
    explanation  TEXT                     -- JSON: one explanation for each event
) STRICT;
CREATE INDEX entries_unmatched ON entries (id) WHERE verdict = 'accepted' AND matched IS NULL;

-- What deduplication remembers. It goes with its entry.
CREATE TABLE seen (
    key   BLOB PRIMARY KEY,
    entry INTEGER NOT NULL,
    at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What an entry does for each target; `due` is null when there is nothing more to come.
CREATE TABLE work (
    entry   INTEGER NOT NULL,
    target  TEXT NOT NULL,
    state   TEXT NOT NULL,                -- JSON
    summary TEXT NOT NULL,
    due     INTEGER,
    hints   TEXT NOT NULL,                -- JSON: where to look
    PRIMARY KEY (entry, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX work_unfinished ON work (target, due) WHERE due IS NOT NULL;
CREATE INDEX work_dead ON work (entry) WHERE summary = 'dead';

CREATE TABLE attempts (
    entry   INTEGER NOT NULL,
    target  TEXT NOT NULL,
    replay  INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    record  TEXT NOT NULL,                -- JSON
    PRIMARY KEY (entry, target, replay, number)
) STRICT, WITHOUT ROWID;

-- Resources of the manifests, with the status that the API server would hold.
CREATE TABLE resources (
    kind       TEXT NOT NULL,
    namespace  TEXT NOT NULL,
    name       TEXT NOT NULL,
    generation INTEGER NOT NULL,
    spec_hash  TEXT NOT NULL,
    status     TEXT NOT NULL,             -- JSON
    refreshed  INTEGER,                   -- when the last complete refresh began
    PRIMARY KEY (kind, namespace, name)
) STRICT, WITHOUT ROWID;

-- What discovery saw: by repository and by the credentials that it was seen with.
CREATE TABLE repositories (
    id         INTEGER PRIMARY KEY,
    repository TEXT NOT NULL,
    access     TEXT NOT NULL,
    listed     INTEGER,
    UNIQUE (repository, access)
) STRICT;
CREATE TABLE tags (
    repository INTEGER NOT NULL,
    tag        TEXT NOT NULL,
    digest     TEXT,
    seen       INTEGER,
    PRIMARY KEY (repository, tag)
) STRICT, WITHOUT ROWID;
CREATE TABLE contents (
    repository INTEGER NOT NULL,
    digest     TEXT NOT NULL,
    content    TEXT NOT NULL,             -- JSON
    PRIMARY KEY (repository, digest)
) STRICT, WITHOUT ROWID;
