-- Question: Which versions of the orders service ran, from when to when, and how did each fare?
-- Exercises: a resource attribute, a filter on the service, first and last time.
-- Shape: one row per version, oldest first.
SELECT
  resource_attributes['service.version'] AS version,
  count(DISTINCT resource_attributes['k8s.pod.name']) AS num_pods,
  count(*) AS num_records,
  sum(CASE WHEN severity_number >= 17 THEN 1 ELSE 0 END) AS num_errors,
  min(timestamp) AS first_seen,
  max(timestamp) AS last_seen
FROM logs
WHERE service_name = 'orders'
GROUP BY version
ORDER BY first_seen;
