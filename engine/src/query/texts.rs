//! Texts of a column, plain or with a dictionary.

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type};
use datafusion::common::{Result, internal_datafusion_err};

use super::filter::TextSearch;

/// The texts of some rows: where each is among the texts that there are.
#[derive(Clone, Debug)]
pub(super) struct Texts {
    /// None when row and place are the same.
    codes: Option<Int32Array>,
    values: StringArray,
}

impl Texts {
    pub(super) fn of(column: &ArrayRef) -> Result<Self> {
        if let Some(dictionary) = column.as_dictionary_opt::<Int32Type>()
            && let Some(values) = dictionary.values().as_string_opt::<i32>()
        {
            return Ok(Self { codes: Some(dictionary.keys().clone()), values: values.clone() });
        }
        let values = cast(column, &DataType::Utf8)?;
        let values = values.as_string_opt::<i32>();
        let values = values.ok_or_else(|| internal_datafusion_err!("{} is no text", column.data_type()))?;
        Ok(Self { codes: None, values: values.clone() })
    }

    /// Where the text of a row is; none for null. One text may have several places.
    pub(super) fn place(&self, row: usize) -> Option<usize> {
        let place = match &self.codes {
            Some(codes) => codes.is_valid(row).then(|| codes.value(row) as usize)?,
            None => row,
        };
        self.values.is_valid(place).then_some(place)
    }

    /// Whether rows with the same text mostly have the same place.
    pub(super) fn has_dictionary(&self) -> bool {
        self.codes.is_some()
    }

    /// How many places there are.
    pub(super) fn num_places(&self) -> usize {
        self.values.len()
    }

    /// The text at a place.
    pub(super) fn text(&self, place: usize) -> &str {
        self.values.value(place)
    }

    /// Gives `take` the texts with how many rows have each. One text may come several times.
    pub(super) fn count(&self, mut take: impl FnMut(&str, u64) -> Result<()>) -> Result<()> {
        let Some(codes) = &self.codes else {
            return self.values.iter().flatten().try_for_each(|text| take(text, 1));
        };
        let mut counts = vec![0_u64; self.values.len()];
        for code in codes.iter().flatten() {
            counts[code as usize] += 1;
        }
        let counted = counts.into_iter().enumerate();
        let mut counted = counted.filter(|(place, count)| *count > 0 && self.values.is_valid(*place));
        counted.try_for_each(|(place, count)| take(self.text(place), count))
    }
}

impl Texts {
    /// The same of the texts that a search finds.
    pub(super) fn count_found(
        &self,
        search: &TextSearch,
        mut take: impl FnMut(&str, u64) -> Result<()>,
    ) -> Result<()> {
        // A dictionary may be much longer than what its rows use of it.
        if self.codes.is_some() {
            return self.count(|text, count| if search.is_in(text) { take(text, count) } else { Ok(()) });
        }
        search.places_in(&self.values).into_iter().try_for_each(|place| take(self.text(place), 1))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use arrow::array::{DictionaryArray, StringViewArray};

    use super::*;

    #[test]
    fn every_form_of_a_column_has_the_same_texts() {
        let texts = [Some("b"), None, Some(""), Some("b"), Some("a")];
        let plain: StringArray = texts.into_iter().collect();
        let view: StringViewArray = texts.into_iter().collect();
        let dictionary: DictionaryArray<Int32Type> = texts.into_iter().collect();
        let nulls = StringArray::from(vec![None, Some("b"), Some("a"), Some(""), Some("b")]);
        let codes = Int32Array::from(vec![1, 0, 3, 4, 2]);
        let with_null = DictionaryArray::new(codes, Arc::new(nulls));
        let columns: [ArrayRef; 4] =
            [Arc::new(plain), Arc::new(view), Arc::new(dictionary), Arc::new(with_null)];
        for column in &columns {
            let found = Texts::of(column).unwrap();
            let rows = (0..5).map(|row| found.place(row).map(|place| found.text(place)));
            assert_eq!(rows.collect::<Vec<_>>(), texts, "{column:?}");
            let mut counts = BTreeMap::new();
            let counted = found.count(|text, count| {
                *counts.entry(text.to_owned()).or_insert(0) += count;
                Ok(())
            });
            counted.unwrap();
            assert_eq!(
                counts.into_iter().collect::<Vec<_>>(),
                [(String::new(), 1), ("a".to_owned(), 1), ("b".to_owned(), 2)]
            );
        }
    }
}
