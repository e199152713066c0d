-- Question: How much would be saved if records below a severity were dropped?
-- Exercises: a running sum over few groups.
-- Shape: one row per severity number, lowest first.
SELECT
  severity_number,
  severity_text,
  count(*) AS num_records,
  sum(sum(bytes_uncompressed)) OVER (ORDER BY severity_number) AS bytes_up_to_here
FROM logs
GROUP BY severity_number, severity_text
ORDER BY severity_number, severity_text;
