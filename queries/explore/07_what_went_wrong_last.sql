-- Question: What went wrong most recently?
-- Exercises: newest rows first with a selective filter; wide columns for few rows.
-- Shape: at most ten rows, newest first, with the first line of each body.
SELECT
  timestamp,
  service_name,
  severity_text,
  attributes['error.type'] AS error_type,
  split_part(body, chr(10), 1) AS first_line
FROM logs
WHERE severity_number >= 17
ORDER BY timestamp DESC, uuid DESC
LIMIT 10;
