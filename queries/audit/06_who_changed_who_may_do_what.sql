-- Question: Who changed what others may do?
-- Exercises: a list of values, entries of the organization and no project.
-- Shape: one row per action on memberships and keys that changed a level or scopes, in order of time.
SELECT
  timestamp,
  user_id,
  scope,
  activity,
  item_id,
  json_text(detail, 'changes', 0, 'field') AS field,
  project_id IS NULL AS of_organization
FROM activity
WHERE scope = 'OrganizationMembership'
  OR (scope = 'PersonalAPIKey' AND json_text(detail, 'changes', 0, 'field') = 'scopes')
ORDER BY timestamp, sequence;
