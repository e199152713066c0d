//! What a condition on entries needs of them, so that entries which cannot have it need not be tested.
//!
//! What is said here is only ever less than what the condition says: an entry that meets the condition has all of it.
//!
//! | module | what |
//! |---|---|
//! | `details` | what details have that contain a text or pass a test |
//! | `columns` | the ids that comparisons of columns ask for |

mod columns;
mod details;
#[cfg(test)]
mod tests;

use datafusion::logical_expr::utils::split_conjunction;
use datafusion::prelude::Expr;

use super::detail::{DetailPath, DetailTest};
use super::text_test;
use crate::query::filter::{BodyTest, IdTest};

/// What an entry must have to meet a condition; all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::query) struct EntryNeeds {
    /// Words in its detail.
    pub(in crate::query) words: Vec<BodyTest>,
    /// Ids.
    pub(in crate::query) ids: Vec<IdTest>,
}

impl EntryNeeds {
    /// Those of a condition.
    pub(in crate::query) fn of(condition: &Expr) -> Self {
        let mut needs = Self::default();
        needs.add(condition);
        needs
    }

    fn add(&mut self, condition: &Expr) {
        for part in split_conjunction(condition) {
            match part {
                Expr::IsTrue(inner) => self.add(inner),
                Expr::ScalarFunction(_) => {
                    if let Some(needs) = text_test::needs_of(part) {
                        self.words.extend(needs.words.iter().cloned());
                        self.ids.extend(needs.ids.iter().cloned());
                    }
                }
                _ => self.ids.extend(columns::ids_of(part)),
            }
        }
    }

    /// Those of details that contain a text, in whatever they are written in.
    pub(super) fn of_text(text: &str) -> Self {
        Self { words: Vec::from_iter(details::words_of_text(text)), ids: Vec::new() }
    }

    /// Those of details that pass tests.
    pub(super) fn of_tests(tests: &[(DetailPath, DetailTest)]) -> Self {
        let words = tests.iter().filter_map(|(path, test)| details::words_of(path, test));
        let ids = tests.iter().filter_map(|(_, test)| details::ids_of(test));
        Self { words: words.collect(), ids: ids.collect() }
    }
}
