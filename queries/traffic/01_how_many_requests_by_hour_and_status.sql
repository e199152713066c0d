-- Question: How many HTTP answers are there by hour and class of status?
-- Exercises: a typed attribute, conditional counts, time buckets.
-- Shape: one row per hour with answers, in rising time.
SELECT
  time_bucket('1 hour', timestamp) AS hour,
  count(*) FILTER (WHERE status < 300) AS ok,
  count(*) FILTER (WHERE status >= 300 AND status < 400) AS redirected,
  count(*) FILTER (WHERE status >= 400 AND status < 500) AS refused,
  count(*) FILTER (WHERE status >= 500) AS failed
FROM (
  SELECT timestamp, attribute_number(attributes, 'http.response.status_code') AS status FROM logs
) answers
WHERE status IS NOT NULL
GROUP BY hour
ORDER BY hour;
