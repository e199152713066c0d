-- Question: Which HTTP answers were not a success, by service?
-- Exercises: a numeric comparison on an attribute, grouping by an attribute.
-- Shape: one row per service and status from 400 on, most frequent first.
SELECT
  service_name,
  attributes['http.response.status_code'] AS status,
  count(*) AS num_answers
FROM logs
WHERE CAST(attributes['http.response.status_code'] AS INT) >= 400
GROUP BY service_name, status
ORDER BY num_answers DESC, service_name, status;
