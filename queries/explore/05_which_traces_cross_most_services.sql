-- Question: Which user requests touched the most services?
-- Exercises: grouping by a high-cardinality id, a distinct count, rows without a trace.
-- Shape: five rows, most services first, then most records, then by trace id.
SELECT
  encode(trace_id, 'hex') AS trace,
  count(DISTINCT service_name) AS num_services,
  count(*) AS num_records
FROM logs
WHERE trace_id <> X'00000000000000000000000000000000'
GROUP BY trace_id
ORDER BY num_services DESC, num_records DESC, trace
LIMIT 5;
