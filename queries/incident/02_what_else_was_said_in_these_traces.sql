-- Question: What did other services say in the requests that failed?
-- Exercises: a semi join on ids, rows without a trace, bodies of few rows.
-- Shape: at most twenty rows, by trace and time.
SELECT
  encode(trace_id, 'hex') AS trace,
  timestamp,
  service_name,
  severity_text,
  left(template(body), 60) AS said
FROM logs
WHERE trace_id IN (
  SELECT trace_id FROM logs
  WHERE severity_number >= 17 AND trace_id <> '00000000000000000000000000000000'
)
ORDER BY trace, timestamp, service_name, said
LIMIT 20;
