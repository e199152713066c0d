-- Question: What was deleted, how long had it been there, and was it who had made it that deleted it?
-- Exercises: a join of the trail with itself.
-- Shape: one row per thing that was deleted, in order of time.
SELECT
  gone.timestamp,
  gone.scope,
  gone.item_id,
  gone.detail ->> 'name' AS name,
  round(date_part('epoch', gone.timestamp) - date_part('epoch', made.timestamp), 3) AS lived_secs,
  gone.user_id = made.user_id AS by_its_maker
FROM activity gone
LEFT JOIN activity made
  ON made.scope = gone.scope AND made.item_id = gone.item_id AND made.activity = 'created'
WHERE gone.activity = 'deleted'
ORDER BY gone.timestamp, gone.sequence;
