//! Semantic versions as the filters compare them: three numbers, pre-release suffix ignored.

use std::cmp::Ordering;

type Version = [u64; 3];

/// Whether a stored version satisfies an operator; what is not a version satisfies none.
pub(super) fn matches(stored: &str, operator: &str, asked: &str) -> bool {
    let Some(stored) = parse(stored) else { return false };
    if operator == "semver_wildcard" {
        return matches_wildcard(stored, asked);
    }
    let Some(asked) = parse(asked) else { return false };
    match operator {
        "semver_eq" => stored == asked,
        "semver_neq" => stored != asked,
        "semver_gt" => stored > asked,
        "semver_gte" => stored >= asked,
        "semver_lt" => stored < asked,
        "semver_lte" => stored <= asked,
        "semver_tilde" => stored >= asked && stored < [asked[0], asked[1] + 1, 0],
        "semver_caret" => stored >= asked && stored < next_breaking(asked),
        other => panic!("unknown operator {other}"),
    }
}

/// Missing parts are 0.
fn parse(text: &str) -> Option<Version> {
    let release = text.split(['-', '+']).next()?;
    let parts: Vec<u64> = release.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
    (parts.len() <= 3).then(|| std::array::from_fn(|index| parts.get(index).copied().unwrap_or(0)))
}

/// The first version that a caret range leaves out: the first part that is not 0 goes up.
fn next_breaking(version: Version) -> Version {
    match version {
        [0, 0, patch] => [0, 0, patch + 1],
        [0, minor, _] => [0, minor + 1, 0],
        [major, ..] => [major + 1, 0, 0],
    }
}

/// `1.2.*` fixes the parts before the star.
fn matches_wildcard(stored: Version, asked: &str) -> bool {
    let fixed = asked.trim_end_matches(".*").split('.').map(str::parse::<u64>);
    fixed.zip(stored).all(|(asked, stored)| asked.is_ok_and(|asked| asked.cmp(&stored) == Ordering::Equal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(stored: &str, operator: &str, asked: &str, expected: bool) {
        assert_eq!(matches(stored, operator, asked), expected, "{stored} {operator} {asked}");
    }

    #[test]
    fn versions_compare_by_number() {
        check("1.10.0", "semver_gt", "1.9.9", true);
        check("1.2", "semver_eq", "1.2.0", true);
        check("1.2.3-rc.1", "semver_eq", "1.2.3", true);
        check("1.2.9", "semver_tilde", "1.2.3", true);
        check("1.3.0", "semver_tilde", "1.2.3", false);
        check("1.9.0", "semver_caret", "1.2.3", true);
        check("0.3.0", "semver_caret", "0.2.3", false);
        check("0.0.4", "semver_caret", "0.0.3", false);
        check("1.2.9", "semver_wildcard", "1.2.*", true);
        check("1.3.0", "semver_wildcard", "1.2.*", false);
        check("text", "semver_neq", "1.0.0", false);
    }
}
