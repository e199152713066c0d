-- Question: Do bodies contain what looks like a key, a token or a card number?
-- Exercises: an alternation of patterns over every body.
-- Shape: one row per service and kind, most records first; none is good news.
SELECT service_name, kind, count(*) AS num_records
FROM (
  SELECT
    service_name,
    CASE
      WHEN regexp_like(body, '\b(AKIA|ASIA)[A-Z0-9]{16}\b') THEN 'AWS key'
      WHEN regexp_like(body, '\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.') THEN 'JSON web token'
      WHEN regexp_like(body, '(?i)\b(password|secret|api_?key)=[^ ]{6,}') THEN 'named secret'
      WHEN regexp_like(body, '\b(4[0-9]{12}([0-9]{3})?|5[1-5][0-9]{14})\b') THEN 'card number'
    END AS kind
  FROM logs
) looked_at
WHERE kind IS NOT NULL
GROUP BY service_name, kind
ORDER BY num_records DESC, service_name, kind;
