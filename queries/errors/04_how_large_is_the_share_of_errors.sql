-- Question: How large is the share of errors, by part of the day?
-- Exercises: a ratio of counts over wide time buckets.
-- Shape: one row per three hours with records, in rising time.
SELECT
  date_bin(INTERVAL '3 hours', timestamp) AS part,
  count(*) AS num_records,
  round(100.0 * count(*) FILTER (WHERE severity_number >= 17) / count(*), 2) AS percent_errors
FROM logs
GROUP BY part
ORDER BY part;
