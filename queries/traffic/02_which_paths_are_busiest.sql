-- Question: Which paths get the most requests, without their numbers and queries?
-- Exercises: regexp_replace over an attribute, top few of many.
-- Shape: ten rows, most requests first, ties by path.
SELECT
  regexp_replace(split_part(attributes['url.path'], '?', 1), '[0-9a-f]*[0-9][0-9a-f]*', '#', 'g') AS path,
  count(*) AS num_requests
FROM logs
WHERE attributes['url.path'] IS NOT NULL
GROUP BY path
ORDER BY num_requests DESC, path
LIMIT 10;
