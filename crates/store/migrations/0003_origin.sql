-- The address that its owner uploaded it from last.
ALTER TABLE packages ADD COLUMN origin TEXT;
