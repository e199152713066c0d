-- Question: Which records call themselves errors in their text, with a lower severity?
-- Exercises: a case-insensitive regular expression over all bodies, parse_severity.
-- Shape: one row per service and severity, most records first.
SELECT
  service_name,
  severity_text,
  parse_severity(regexp_match(upper(body), '\b(ERROR|FATAL|WARN|WARNING|CRITICAL)\b')[1]) AS said,
  count(*) AS num_records
FROM logs
WHERE regexp_like(body, '\b(error|fatal|warn|warning|critical)\b', 'i')
GROUP BY service_name, severity_text, said
ORDER BY num_records DESC, service_name, severity_text, said;
