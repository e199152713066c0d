//! Slugs: names of organizations for addresses.

use sqlx::AnyConnection;

use crate::meta::{MetaError, organization};

/// Longest slug, so that a suffix has room.
const MAX_CHARS: usize = 40;

/// A free slug made from a name: the name's own, or the same with the first free number.
pub(super) async fn free(connection: &mut AnyConnection, name: &str) -> Result<String, MetaError> {
    let base = of(name);
    let mut slug = base.clone();
    let mut number = 1_u64;
    while organization::has_slug(connection, &slug).await? {
        number += 1;
        slug = format!("{base}-{number}");
    }
    Ok(slug)
}

/// Lower-case letters and digits of a name, with a hyphen for every run of anything else.
fn of(name: &str) -> String {
    let mut slug = String::new();
    for letter in name.to_lowercase().chars() {
        if letter.is_ascii_alphanumeric() {
            slug.push(letter);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() >= MAX_CHARS {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "organization".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_has_letters_digits_and_single_hyphens() {
        for (name, expected) in [
            ("Acme", "acme"),
            ("  My  Company, Inc. ", "my-company-inc"),
            ("Ünïcode & Söhne", "n-code-s-hne"),
            ("日本", "organization"),
            ("--", "organization"),
            (&"x".repeat(99), &"x".repeat(40)),
        ] {
            assert_eq!(of(name), expected, "{name}");
        }
    }
}
