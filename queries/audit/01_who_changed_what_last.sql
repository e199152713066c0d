-- Question: Who changed what, most recently?
-- Exercises: the table of the audit trail, order of the newest, parts of a JSON column.
-- Shape: one row per change of a value, newest first, the first value that it changed with before and after.
SELECT
  timestamp,
  user_id,
  scope,
  item_id,
  detail ->> 'name' AS name,
  json_text(detail, 'changes', 0, 'field') AS field,
  json_text(detail, 'changes', 0, 'before') AS before,
  json_text(detail, 'changes', 0, 'after') AS after
FROM activity
WHERE activity = 'updated'
ORDER BY timestamp DESC, sequence DESC
LIMIT 10;
