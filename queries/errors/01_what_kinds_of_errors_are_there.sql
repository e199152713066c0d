-- Question: What kinds of errors are there?
-- Exercises: grouping by an attribute that few rows have.
-- Shape: one row per service and error type, most frequent first, ties by both.
SELECT service_name, attributes['error.type'] AS error_type, count(*) AS num_errors, max(timestamp) AS last_seen
FROM logs
WHERE attributes['error.type'] IS NOT NULL
GROUP BY service_name, error_type
ORDER BY num_errors DESC, service_name, error_type;
