-- Question: Whose actions come from many addresses, and by which programs?
-- Exercises: exact distinct counts of a text column, ordered lists.
-- Shape: one row per user with more than one address.
SELECT
  user_id,
  count(DISTINCT ip_address) AS num_addresses,
  count(*) FILTER (WHERE client IS NOT NULL) AS num_by_programs,
  array_to_string(array_sort(array_agg(DISTINCT CAST(client AS VARCHAR))), ', ') AS programs
FROM activity
WHERE user_id IS NOT NULL
GROUP BY user_id
HAVING count(DISTINCT ip_address) > 1
ORDER BY num_addresses DESC, user_id;
