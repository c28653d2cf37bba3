-- Collation "C" compares bytes: an upgrade of the system's locales spoils no index.
CREATE TABLE muster_links (
    tenant     text COLLATE "C" NOT NULL,
    person     text COLLATE "C" NOT NULL, -- opaque; the same in all rows of one person
    kind       text COLLATE "C" NOT NULL, -- of identifier
    folded     text COLLATE "C" NOT NULL, -- the value as it is looked for
    value      text NOT NULL,             -- the value as it is shown and sent
    created_at text NOT NULL,             -- RFC 3339, UTC
    note       text NOT NULL,
    PRIMARY KEY (tenant, kind, folded),
    UNIQUE (tenant, person, kind)
);
