//! Attributes of one record or resource on their way into a map column.

use std::ops::Range;

use crate::schema::AttributeType;

/// Keys and values of one map: borrowed from the request where they stand there as text.
///
/// One list is reused for all records of a request, so that a record costs no allocation.
#[derive(Debug, Default)]
pub(super) struct AttributeList<'a> {
    entries: Vec<(&'a str, ValueText<'a>, AttributeType)>,
    /// Values that had to be written out: numbers, lists, base64.
    written: String,
}

/// The text of a value.
#[derive(Clone, Debug)]
pub(super) enum ValueText<'a> {
    Borrowed(&'a str),
    Written(Range<usize>),
}

impl<'a> AttributeList<'a> {
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.written.clear();
    }

    /// Adds a value that stands in the request as text.
    pub(super) fn push_borrowed(&mut self, key: &'a str, value: &'a str, value_type: AttributeType) {
        self.entries.push((key, ValueText::Borrowed(value), value_type));
    }

    /// Adds a value whose text `write` appends.
    pub(super) fn push_written<E>(
        &mut self,
        key: &'a str,
        value_type: AttributeType,
        write: impl FnOnce(&mut String) -> Result<(), E>,
    ) -> Result<(), E> {
        let start = self.written.len();
        write(&mut self.written)?;
        self.entries.push((key, ValueText::Written(start..self.written.len()), value_type));
        Ok(())
    }

    /// Takes over the entries of another list, which share no key with this one.
    pub(super) fn merge(&mut self, other: AttributeList<'a>) {
        let shift = self.written.len();
        self.written.push_str(&other.written);
        self.entries.extend(other.entries.into_iter().map(|(key, value, value_type)| match value {
            ValueText::Borrowed(_) => (key, value, value_type),
            ValueText::Written(range) => {
                (key, ValueText::Written(range.start + shift..range.end + shift), value_type)
            }
        }));
        self.normalise();
    }

    /// Sorts by key; of equal keys the last one sent stays.
    pub(super) fn normalise(&mut self) {
        if self.entries.windows(2).all(|pair| pair[0].0 < pair[1].0) {
            return;
        }
        self.entries.sort_by(|left, right| left.0.cmp(right.0));
        self.entries.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 = later.1.clone();
                kept.2 = later.2;
            }
            same
        });
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|(key, value, _)| (*key, self.resolve(value)))
    }

    /// The letters of the values' types, in the order of the keys.
    pub(super) fn type_letters(&self) -> impl Iterator<Item = char> {
        self.entries.iter().map(|(_, _, value_type)| value_type.letter())
    }

    /// The value of a key; the list is normalised.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let index = self.entries.binary_search_by(|entry| entry.0.cmp(key)).ok()?;
        Some(self.resolve(&self.entries[index].1))
    }

    /// Bytes of all keys and values.
    pub(super) fn size_bytes(&self) -> usize {
        self.iter().map(|(key, value)| key.len() + value.len()).sum()
    }

    fn resolve<'s>(&'s self, value: &'s ValueText<'a>) -> &'s str {
        match value {
            ValueText::Borrowed(text) => text,
            ValueText::Written(range) => &self.written[range.clone()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_equal_keys_stays() {
        let mut list = AttributeList::default();
        list.push_borrowed("b", "1", AttributeType::Text);
        list.push_borrowed("a", "2", AttributeType::Text);
        list.push_written("b", AttributeType::Int, |out| {
            out.push('3');
            Ok::<_, ()>(())
        })
        .unwrap();
        list.push_borrowed("b", "4", AttributeType::Null);
        list.push_borrowed("c", "5", AttributeType::Bytes);
        list.normalise();
        assert_eq!(list.iter().collect::<Vec<_>>(), [("a", "2"), ("b", "4"), ("c", "5")]);
        assert_eq!(list.type_letters().collect::<String>(), "snx");
        assert_eq!(list.get("b"), Some("4"));
        assert_eq!(list.get("d"), None);
        assert_eq!(list.size_bytes(), 6);
    }
}
