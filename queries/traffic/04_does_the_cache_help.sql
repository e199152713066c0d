-- Question: How often does the cache hit, and what is a hit worth?
-- Exercises: a boolean attribute, an average per group.
-- Shape: one row per service that says so, by service.
SELECT
  service_name,
  count(*) AS num_lookups,
  count(*) FILTER (WHERE hit) AS num_hits,
  round(avg(ms) FILTER (WHERE hit), 2) AS hit_ms,
  round(avg(ms) FILTER (WHERE NOT hit), 2) AS miss_ms
FROM (
  SELECT
    service_name,
    attribute_boolean(attributes, 'cache.hit') AS hit,
    attribute_number(attributes, 'duration_ms') AS ms
  FROM logs
) lookups
WHERE hit IS NOT NULL
GROUP BY service_name
ORDER BY service_name;
