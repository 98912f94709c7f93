-- When an entry may be matched, where deliveries have a pace; 0 is at once.
ALTER TABLE entries ADD COLUMN slot INTEGER NOT NULL DEFAULT 0;
DROP INDEX entries_unmatched;
CREATE INDEX entries_unmatched ON entries (slot, id) WHERE verdict = 'accepted' AND matched IS NULL;
CREATE INDEX entries_slot ON entries (slot) WHERE slot > 0;

-- Which of the secrets of its sender a delivery showed, where it showed one.
ALTER TABLE entries ADD COLUMN secret TEXT;
