-- Question: Which users met errors, and where?
-- Exercises: an attribute and a distinct list under a selective filter.
-- Shape: one row per user with errors, most errors first, ties by user.
SELECT
  attributes['user.id'] AS user_id,
  count(*) AS num_errors,
  array_to_string(array_sort(array_agg(DISTINCT CAST(service_name AS VARCHAR))), ', ') AS services
FROM logs
WHERE severity_number >= 17 AND attributes['user.id'] IS NOT NULL
GROUP BY user_id
ORDER BY num_errors DESC, user_id;
