-- Question: Which addresses authenticate as several users?
-- Exercises: an approximate and an exact distinct count of an attribute.
-- Shape: at most ten rows, most users first, ties by address.
SELECT
  attributes['client.address'] AS address,
  count(DISTINCT attributes['user.id']) AS num_users,
  approx_distinct(attributes['user.id']) AS approx_users,
  count(*) AS num_records
FROM logs
WHERE service_name = 'auth' AND attributes['client.address'] IS NOT NULL
GROUP BY address
ORDER BY num_users DESC, address
LIMIT 10;
