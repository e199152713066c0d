-- Question: Which kinds of messages are there in the last six hours that were not there before?
-- Exercises: templates of bodies, a set difference, times relative to the newest row.
-- Shape: at most fifteen rows, most frequent first, ties by service and template.
WITH newest AS (SELECT max(timestamp) AS at FROM logs),
said AS (
  SELECT
    service_name,
    left(template(body), 60) AS template,
    timestamp > (SELECT at FROM newest) - INTERVAL '6 hours' AS is_new
  FROM logs
  WHERE severity_number >= 13
)
SELECT service_name, template, count(*) AS num_records
FROM said
GROUP BY service_name, template
HAVING bool_and(is_new)
ORDER BY num_records DESC, service_name, template
LIMIT 15;
