//! The text of an attribute value or a body.
//!
//! Attributes are stored as text: a string is itself, bytes are base64, null is empty, numbers and truth
//! values are written as JSON writes them (a double keeps its point: `500.0`), arrays and key-value lists
//! are compact JSON. Numbers that JSON lacks are `NaN`, `Infinity` and `-Infinity`, quoted inside JSON.

use std::fmt::Write as _;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;

/// Appends an integer.
pub(super) fn push_int(out: &mut String, value: i64) {
    write!(out, "{value}").expect("BUG: writing to a string failed");
}

/// Appends a double outside JSON.
pub(super) fn push_double(out: &mut String, value: f64) {
    match serde_json::Number::from_f64(value) {
        Some(number) => write!(out, "{number}").expect("BUG: writing to a string failed"),
        None => out.push_str(non_finite(value)),
    }
}

/// Appends a double inside JSON.
pub(super) fn push_json_double(out: &mut String, value: f64) {
    if value.is_finite() {
        push_double(out, value);
    } else {
        push_json_string(out, non_finite(value));
    }
}

/// Appends bytes as base64.
pub(super) fn push_bytes(out: &mut String, value: &[u8]) {
    write!(out, "{}", Base64Display::new(value, &STANDARD)).expect("BUG: writing to a string failed");
}

/// Appends a JSON string, quoted and escaped.
pub(super) fn push_json_string(out: &mut String, value: &str) {
    let quoted = serde_json::to_string(value).expect("BUG: a string always has a JSON form");
    out.push_str(&quoted);
}

fn non_finite(value: f64) -> &'static str {
    if value.is_nan() {
        "NaN"
    } else if value > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}
