-- Question: Which services log most, and which of them have errors?
-- Exercises: grouping by a promoted low-cardinality column; a sum over a condition.
-- Shape: one row per service, most records first, ties by name.
SELECT
  service_name,
  count(*) AS num_records,
  sum(CASE WHEN severity_number >= 17 THEN 1 ELSE 0 END) AS num_errors
FROM logs
GROUP BY service_name
ORDER BY num_records DESC, service_name;
