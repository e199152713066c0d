-- Question: What do orders fail on, as their JSON bodies say?
-- Exercises: members of JSON bodies as text and as numbers.
-- Shape: one row per cause, most frequent first, ties by cause.
SELECT
  body ->> 'cause' AS cause,
  count(*) AS num_orders,
  round(sum(json_number(body, 'total')), 2) AS total
FROM logs
WHERE service_name = 'orders' AND body ->> 'level' = 'error'
GROUP BY cause
ORDER BY num_orders DESC, cause;
