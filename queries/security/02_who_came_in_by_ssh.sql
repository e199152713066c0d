-- Question: Who came in by SSH, from where and to which machine?
-- Exercises: parts of unstructured bodies by regular expressions.
-- Shape: one row per log-in, in rising time.
SELECT
  timestamp,
  regexp_match(body, 'for ([^ ]+) from')[1] AS account,
  regexp_match(body, 'from ([0-9.]+) port')[1] AS address,
  split_part(body, ' ', 4) AS machine
FROM logs
WHERE body LIKE '%sshd[%' AND body LIKE '%Accepted%'
ORDER BY timestamp, account;
