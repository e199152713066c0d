//! The types that attribute values had when they were sent.
//!
//! Values are stored as text. Beside each map stands a column with one letter for each of its keys, in the order
//! of the keys, so that every value can be given back as what it was: `{a: 1, b: "1", c: [1]}` is stored as
//! `{a: "1", b: "1", c: "[1]"}` and `isa`. Records of one kind share their letters, so that the column costs next
//! to nothing.

/// What an attribute value was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeType {
    /// Nothing at all; its text is empty.
    Null,
    /// A string; its text is itself.
    Text,
    /// A truth value, written as JSON writes it.
    Bool,
    /// A 64-bit integer.
    Int,
    /// A double, written with its point; `NaN`, `Infinity`, `-Infinity`.
    Double,
    /// Bytes, written as base64.
    Bytes,
    /// A list, written as compact JSON.
    Array,
    /// Keys and values, written as compact JSON.
    Map,
}

impl AttributeType {
    /// The letter that is stored.
    pub fn letter(self) -> char {
        match self {
            Self::Null => 'n',
            Self::Text => 's',
            Self::Bool => 'b',
            Self::Int => 'i',
            Self::Double => 'd',
            Self::Bytes => 'x',
            Self::Array => 'a',
            Self::Map => 'm',
        }
    }

    /// The type of a letter; `None` for one that a later version may know.
    pub fn from_letter(letter: char) -> Option<Self> {
        let all = [
            Self::Null,
            Self::Text,
            Self::Bool,
            Self::Int,
            Self::Double,
            Self::Bytes,
            Self::Array,
            Self::Map,
        ];
        all.into_iter().find(|known| known.letter() == letter)
    }
}
