-- Question: Which personal API keys were made, changed and taken away, by whom and from where?
-- Exercises: equality on a dictionary column.
-- Shape: one row per action on a key, in order of time.
SELECT
  timestamp,
  activity,
  item_id,
  detail ->> 'name' AS label,
  user_id,
  ip_address
FROM activity
WHERE scope = 'PersonalAPIKey'
ORDER BY timestamp, sequence;
