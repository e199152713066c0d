-- Question: Does the trail have gaps, or entries twice?
-- Exercises: a whole scan of numbers and ids. The hashes are checked by `timberline activity verify`.
-- Shape: one row: how many entries, and whether they are numbered without a gap.
SELECT
  count(*) AS num_entries,
  min(sequence) AS first,
  max(sequence) AS last,
  max(sequence) - min(sequence) + 1 - count(*) AS num_missing,
  count(*) - count(DISTINCT id) AS num_twice
FROM activity;
