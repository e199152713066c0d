-- Question: How long do the fastest half and the slowest twentieth of requests take, by service?
-- Exercises: approximate percentiles of a typed attribute.
-- Shape: one row per service with at least ten timed records, slowest first.
SELECT
  service_name,
  count(*) AS num_timed,
  round(approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY ms), 1) AS p50_ms,
  round(approx_percentile_cont(0.95) WITHIN GROUP (ORDER BY ms), 1) AS p95_ms
FROM (SELECT service_name, attribute_number(attributes, 'duration_ms') AS ms FROM logs) timed
WHERE ms IS NOT NULL
GROUP BY service_name
HAVING count(*) >= 10
ORDER BY p95_ms DESC, service_name;
