-- Question: Which services say "failed", in whatever case?
-- Exercises: case-insensitive substring search over all bodies.
-- Shape: one row per service and severity with a match, most matches first.
SELECT service_name, severity_text, count(*) AS num_matches
FROM logs
WHERE body ILIKE '%failed%'
GROUP BY service_name, severity_text
ORDER BY num_matches DESC, service_name, severity_text;
