-- Question: Which kinds of messages cost most, so that they could be dropped?
-- Exercises: templates of all bodies, a sum by them.
-- Shape: ten rows, largest first.
SELECT
  service_name,
  severity_text,
  left(template(body), 60) AS template,
  count(*) AS num_records,
  sum(bytes_uncompressed) AS bytes
FROM logs
GROUP BY service_name, severity_text, template
ORDER BY bytes DESC, service_name, template
LIMIT 10;
