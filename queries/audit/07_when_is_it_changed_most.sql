-- Question: When is most changed, and how much of that is done by programs and by the product itself?
-- Exercises: buckets of time, counts under a condition.
-- Shape: one row per part of the day.
SELECT
  time_bucket('3 hours', timestamp) AS part,
  count(*) AS num_actions,
  count(*) FILTER (WHERE client IS NOT NULL) AS by_programs,
  count(*) FILTER (WHERE is_system) AS by_itself,
  count(DISTINCT user_id) AS num_users
FROM activity
GROUP BY part
ORDER BY part;
