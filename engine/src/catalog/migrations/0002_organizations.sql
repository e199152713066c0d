-- Rows of some datasets belong to an organization, whose id stands here; their project_id is 0. Empty for the others.
ALTER TABLE data_files ADD COLUMN organization_id TEXT NOT NULL DEFAULT '';
ALTER TABLE wal_ranges ADD COLUMN organization_id TEXT NOT NULL DEFAULT '';
