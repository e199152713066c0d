-- Question: Which attributes can I filter by?
-- Exercises: unfolding the attribute map of every row.
-- Shape: one row per attribute key, most frequent first, ties by key.
SELECT key, count(*) AS num_records
FROM (SELECT unnest(map_keys(attributes)) AS key FROM logs)
GROUP BY key
ORDER BY num_records DESC, key;
