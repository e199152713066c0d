-- Question: Which attributes take the most bytes?
-- Exercises: unfolding keys and values of every row's attributes together.
-- Shape: ten rows, largest first.
SELECT
  key,
  count(*) AS num_records,
  count(DISTINCT value) AS num_values,
  sum(octet_length(key) + octet_length(value)) AS bytes
FROM (SELECT unnest(map_keys(attributes)) AS key, unnest(map_values(attributes)) AS value FROM logs) entries
GROUP BY key
ORDER BY bytes DESC, key
LIMIT 10;
