-- Question: Who fills my disk?
-- Exercises: a sum over all rows by a promoted column, a share of the whole by a window.
-- Shape: one row per service, largest first.
SELECT
  service_name,
  count(*) AS num_records,
  sum(bytes_uncompressed) AS bytes,
  round(100.0 * sum(bytes_uncompressed) / sum(sum(bytes_uncompressed)) OVER (), 1) AS percent
FROM logs
GROUP BY service_name
ORDER BY bytes DESC, service_name;
