-- Which entries there are, newest first, for whom and of what: enough to pick those that somebody
-- sees without reading the rows of the others.
CREATE INDEX packages_newest ON packages (revision, audience, content, expires_ms);

-- Whether a content has a newer entry.
CREATE INDEX packages_newer ON packages (content, revision, audience, expires_ms);

-- Few, if all is well.
CREATE INDEX contents_damaged ON contents (id) WHERE is_damaged = 1;
