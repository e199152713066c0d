-- Question: Which users cause the most records?
-- Exercises: grouping by a high-cardinality attribute, top few of many.
-- Shape: ten rows, most records first, ties by user id.
SELECT
  attributes['user.id'] AS user_id,
  count(*) AS num_records,
  count(DISTINCT service_name) AS num_services
FROM logs
WHERE attributes['user.id'] IS NOT NULL
GROUP BY user_id
ORDER BY num_records DESC, user_id
LIMIT 10;
