//! One setting, and how texts become values.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use super::ServerConfig;

/// One setting: its name, what it means, its default, and how its text becomes a value.
#[derive(Debug)]
pub struct Setting {
    /// Table of the TOML file.
    pub section: &'static str,
    /// Key in that table.
    pub key: &'static str,
    /// What it decides, with its unit.
    pub doc: &'static str,
    /// Its default, as text.
    pub default: &'static str,
    pub(super) apply: fn(&mut ServerConfig, &str) -> Result<(), String>,
}

impl Setting {
    /// The name in messages and in a file: `section.key`.
    pub fn name(&self) -> String {
        format!("{}.{}", self.section, self.key)
    }

    /// The name in the environment.
    pub fn variable(&self) -> String {
        format!("{ENVIRONMENT_PREFIX}{}__{}", self.section.to_uppercase(), self.key.to_uppercase())
    }
}

/// What the product's variables begin with.
pub(super) const ENVIRONMENT_PREFIX: &str = "TIMBERLINE_";

/// Variables with this prefix that are no settings: commands read them that talk to a running server.
pub(super) const CLIENT_VARIABLES: [&str; 3] = ["TIMBERLINE_URL", "TIMBERLINE_KEY", "TIMBERLINE_TOKEN"];

/// Bytes of a mebibyte.
pub(super) const MIB: usize = 1024 * 1024;

/// A text as a value; `what` says what it is not.
pub(super) fn parse<T: FromStr>(text: &str, what: impl Display) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is not {what}"))
}

/// The text, unless it says that there is none.
pub(super) fn unless_none(text: &str) -> Option<String> {
    (text != "none" && !text.is_empty()).then(|| text.to_owned())
}

/// An address of HTTP, or none.
pub(super) fn address(text: &str) -> Result<Option<String>, String> {
    let Some(text) = unless_none(text) else { return Ok(None) };
    match text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) {
        Some(rest) if !rest.is_empty() && !rest.contains(char::is_whitespace) => Ok(Some(text)),
        _ => Err(format!("{text:?} is not an address that begins with https:// or http://, or none")),
    }
}

/// A whole number from 1 to 65,535.
pub(super) fn positive(text: &str) -> Result<u32, String> {
    const WHAT: &str = "a whole number from 1";
    parse::<u16>(text, WHAT).and_then(|number| match number {
        0 => Err(format!("{text:?} is not {WHAT}")),
        number => Ok(number.into()),
    })
}

/// A whole number from 1, or none.
pub(super) fn limit(text: &str) -> Result<Option<u32>, String> {
    const WHAT: &str = "a whole number from 1, or none";
    match text {
        "none" => Ok(None),
        _ => match parse::<u32>(text, WHAT)? {
            0 => Err(format!("{text:?} is not {WHAT}")),
            number => Ok(Some(number)),
        },
    }
}

/// A number of seconds.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    parse(text, "a whole number of seconds").map(Duration::from_secs)
}

/// A number of bytes, plain or with a binary unit: `1048576`, `64MiB`.
pub(super) fn bytes(text: &str) -> Result<usize, String> {
    const WHAT: &str = "a number of bytes, like 1048576 or 64MiB";
    let units = [("KiB", 1024), ("MiB", MIB), ("GiB", 1024 * MIB)];
    let (digits, unit) = units
        .iter()
        .find_map(|(suffix, unit)| text.strip_suffix(suffix).map(|digits| (digits, *unit)))
        .unwrap_or((text, 1));
    let number: usize = parse(digits.trim_end(), WHAT).map_err(|_| format!("{text:?} is not {WHAT}"))?;
    match number.checked_mul(unit) {
        Some(bytes) if bytes > 0 => Ok(bytes),
        _ => Err(format!("{text:?} is not between 1 byte and the address space")),
    }
}
