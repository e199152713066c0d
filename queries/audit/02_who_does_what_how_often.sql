-- Question: Who does what, and how often?
-- Exercises: groups by dictionary columns and a nullable number.
-- Shape: the 15 commonest, one row per user, resource and action.
SELECT
  coalesce(CAST(user_id AS VARCHAR), 'system') AS who,
  scope,
  activity,
  count(*) AS num_times
FROM activity
GROUP BY who, scope, activity
ORDER BY num_times DESC, who, scope, activity
LIMIT 15;
