//! Patterns of log bodies: what bodies have in common when numbers, ids and times are left out.
//!
//! A body is **masked** on its own: what looks like a value becomes a marker. Masked bodies that differ in a few words
//! are merged into **templates**, where those words are `<*>`. Both depend on the bodies alone and not on where or in
//! which order they are stored.
//!
//! | module | what |
//! |---|---|
//! | `mask` | a body to its masked form |
//! | `value` | what looks like a value |
//! | `shape` | a masked body as words and what is between them |
//! | `miner` | masked bodies to templates |
//! | `expression` | a template as a regular expression and as text to search for |

mod expression;
mod mask;
mod miner;
mod shape;
mod value;

pub(crate) use expression::{match_literal, match_regex};
pub(crate) use mask::mask;
pub(crate) use miner::{MaskedBody, Templates, mine};

/// Rises with every change of what bodies are masked to.
pub const PATTERN_VERSION: u8 = 1;

/// Bytes at the beginning of a body that its pattern is made of; the rest is [`CUT`].
pub(crate) const MAX_PATTERN_BODY_BYTES: usize = 1024;

/// Stands for the rest of a long body.
pub(crate) const CUT: char = '…';

/// Stands for a word that differs within a template.
pub(crate) const ANY_WORD: &str = "<*>";
