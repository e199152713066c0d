-- Question: When did errors begin, and in which service first?
-- Exercises: an aggregate with a filter, first times, time_bucket with a short width.
-- Shape: one row per service with errors, the earliest first.
SELECT
  service_name,
  min(timestamp) AS first_error,
  time_bucket('15m', min(timestamp)) AS quarter,
  count(*) AS num_errors
FROM logs
WHERE severity_text IN ('error', 'fatal')
GROUP BY service_name
ORDER BY first_error, service_name;
