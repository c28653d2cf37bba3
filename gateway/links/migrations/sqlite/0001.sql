CREATE TABLE muster_links (
    tenant     TEXT NOT NULL,
    person     TEXT NOT NULL, -- opaque; the same in all rows of one person
    kind       TEXT NOT NULL, -- of identifier
    folded     TEXT NOT NULL, -- the value as it is looked for
    value      TEXT NOT NULL, -- the value as it is shown and sent
    created_at TEXT NOT NULL, -- RFC 3339, UTC
    note       TEXT NOT NULL,
    PRIMARY KEY (tenant, kind, folded),
    UNIQUE (tenant, person, kind)
);
