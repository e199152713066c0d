-- Question: Which services take longest?
-- Exercises: a numeric attribute read from its text; an exact median; records without the attribute.
-- Shape: one row per service that tells durations, slowest median first.
SELECT
  service_name,
  count(*) AS num_timed,
  round(median(CAST(attributes['duration_ms'] AS DOUBLE)), 3) AS median_ms,
  max(CAST(attributes['duration_ms'] AS DOUBLE)) AS max_ms
FROM logs
WHERE attributes['duration_ms'] IS NOT NULL
GROUP BY service_name
ORDER BY median_ms DESC, service_name;
