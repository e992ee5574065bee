-- What is on disk, once for each content.
CREATE TABLE contents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- Its name on the wire.
    sha256 BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    -- Its name on disk.
    blake3 BLOB NOT NULL UNIQUE CHECK (length(blake3) = 32),
    size INTEGER NOT NULL CHECK (size > 0),
    is_damaged INTEGER NOT NULL DEFAULT 0 CHECK (is_damaged IN (0, 1)),
    -- When its BLAKE3 was found good last. Milliseconds since the Unix epoch.
    verified_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX contents_verified ON contents (verified_ms) WHERE is_damaged = 0;

-- Who may see something.
CREATE TABLE audiences (
    id INTEGER PRIMARY KEY,
    -- '*' for everyone, else the JSON array of the sorted names of the groups.
    key TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE audience_groups (
    audience INTEGER NOT NULL REFERENCES audiences (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    PRIMARY KEY (name, audience)
) STRICT, WITHOUT ROWID;

-- What a content is called, for each audience it was uploaded for.
CREATE TABLE packages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    content INTEGER NOT NULL REFERENCES contents (id),
    audience INTEGER NOT NULL REFERENCES audiences (id),
    -- The order of the uploads.
    revision INTEGER NOT NULL UNIQUE,
    uid TEXT NOT NULL,
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL,
    filename TEXT NOT NULL,
    filename_folded TEXT NOT NULL,
    mime_type TEXT NOT NULL,
    tool TEXT NOT NULL,
    -- Each between two line feeds, which none contains.
    keywords TEXT NOT NULL,
    submitter TEXT,
    creator_uid TEXT,
    submitted_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    latitude REAL,
    longitude REAL,
    altitude REAL,
    remarks TEXT,
    download_path TEXT,
    mission TEXT,
    contacts TEXT,
    UNIQUE (content, audience)
) STRICT;

CREATE INDEX packages_uid ON packages (uid);
CREATE INDEX packages_submitter ON packages (submitter);
CREATE INDEX packages_creator_uid ON packages (creator_uid);
CREATE INDEX packages_submitted ON packages (submitted_ms);
CREATE INDEX packages_audience ON packages (audience);
CREATE INDEX packages_expires ON packages (expires_ms) WHERE expires_ms IS NOT NULL;
