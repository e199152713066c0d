//! Which rows of a slice meet a condition.

use arrow::buffer::BooleanBuffer;

/// Rows of a slice, by their places in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MetRows {
    /// All of so many.
    All(usize),
    /// These, rising.
    List(Vec<u32>),
    /// Those whose bit is set.
    Bits(BooleanBuffer),
}

impl MetRows {
    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::All(num_rows) => *num_rows,
            Self::List(rows) => rows.len(),
            Self::Bits(bits) => bits.count_set_bits(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::All(num_rows) => *num_rows == 0,
            Self::List(rows) => rows.is_empty(),
            Self::Bits(bits) => bits.set_indices_u32().next().is_none(),
        }
    }

    /// Those whose bit is set, of a bit for each row of the slice.
    pub(super) fn and(self, bits: BooleanBuffer) -> Self {
        match self {
            Self::All(_) => Self::Bits(bits),
            Self::List(mut rows) => {
                rows.retain(|row| bits.value(*row as usize));
                Self::List(rows)
            }
            Self::Bits(before) => Self::Bits(&before & &bits),
        }
    }

    /// Their places, rising.
    pub(super) fn into_rows(self) -> Vec<u32> {
        match self {
            Self::All(num_rows) => (0..num_rows as u32).collect(),
            Self::List(rows) => rows,
            Self::Bits(bits) => bits.set_indices_u32().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_rows_are_told_they_are_the_same() {
        let bits = |places: &[bool]| BooleanBuffer::from(places);
        let odd = bits(&[false, true, false, true, false]);
        for (rows, expected) in [
            (MetRows::All(5), vec![1, 3]),
            (MetRows::List(vec![0, 3, 4]), vec![3]),
            (MetRows::Bits(bits(&[true, true, true, false, false])), vec![1]),
            (MetRows::Bits(bits(&[true, false, true, false, true])), vec![]),
            (MetRows::List(vec![]), vec![]),
        ] {
            let met = rows.and(odd.clone());
            assert_eq!((met.len(), met.is_empty()), (expected.len(), expected.is_empty()));
            assert_eq!(met.into_rows(), expected);
        }
        assert_eq!(MetRows::All(3).into_rows(), [0, 1, 2]);
        assert!(MetRows::All(0).is_empty());
    }
}
