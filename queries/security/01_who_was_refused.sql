-- Question: Who was refused, and how often?
-- Exercises: several conditions on attributes and text, an attribute that may be missing.
-- Shape: one row per address and service, most refusals first.
SELECT
  coalesce(attributes['client.address'], attributes['user.id'], 'unknown') AS who,
  service_name,
  count(*) AS num_refusals
FROM logs
WHERE attribute_number(attributes, 'http.response.status_code') IN (401, 403, 429)
  OR body ILIKE '%refused%'
  OR body ILIKE '%rate limit%'
GROUP BY who, service_name
ORDER BY num_refusals DESC, who, service_name
LIMIT 20;
