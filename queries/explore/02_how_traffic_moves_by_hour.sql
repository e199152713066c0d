-- Question: How does traffic move over the day, and when are there errors?
-- Exercises: time buckets over the whole range.
-- Shape: one row per hour with records, in rising time.
SELECT
  date_bin(INTERVAL '1 hour', timestamp) AS hour,
  count(*) AS num_records,
  sum(CASE WHEN severity_number >= 17 THEN 1 ELSE 0 END) AS num_errors
FROM logs
GROUP BY hour
ORDER BY hour;
