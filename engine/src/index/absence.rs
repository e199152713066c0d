//! Why a recipe has nothing to say about a file.

use std::fmt;
use std::sync::Arc;

/// A recipe, or why there is none.
#[derive(Clone, Debug, PartialEq)]
pub enum Recipe<T> {
    /// What the rows were turned into.
    Present(Arc<T>),
    /// The rows themselves have to be asked.
    Absent(Absence),
}

impl<T> Recipe<T> {
    /// The recipe, if there is one.
    pub fn present(&self) -> Option<&T> {
        match self {
            Self::Present(recipe) => Some(recipe),
            Self::Absent(_) => None,
        }
    }

    /// Why there is none.
    pub fn absence(&self) -> Option<&Absence> {
        match self {
            Self::Present(_) => None,
            Self::Absent(absence) => Some(absence),
        }
    }
}

/// Why there is no recipe. It never makes an answer wrong: the rows are read instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Absence {
    /// There is no sidecar beside the data file.
    NoSidecar,
    /// The sidecar was made before the recipe existed.
    NotMade,
    /// The recipe would have been about as large as the data.
    AsLargeAsData,
    /// The recipe would have been larger than a recipe may be.
    OverBudget,
    /// A newer program wrote it; the message says which version.
    Newer(Arc<str>),
    /// It is damaged, and can be made again from the data file; the message names the file.
    Damaged(Arc<str>),
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSidecar => f.write_str("there is no sidecar"),
            Self::NotMade => f.write_str("the sidecar was made without it"),
            Self::AsLargeAsData => f.write_str("it would be as large as the data"),
            Self::OverBudget => f.write_str("it would be over its budget of bytes"),
            Self::Newer(message) | Self::Damaged(message) => f.write_str(message),
        }
    }
}
