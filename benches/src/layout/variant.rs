//! Attributes as Parquet Variants with shredding: one of the candidates.

use std::sync::Arc;

use anyhow::Result;
use arrow::array::{Array, ArrayRef, RecordBatch, StructArray};
use arrow::datatypes::{DataType, Field, Fields};
use parquet_variant::{VariantBuilderExt, VariantPath, VariantPathElement};
use parquet_variant_compute::{GetOptions, VariantArrayBuilder, shred_variant, variant_get};

use super::promotion::{KeyFacts, MapColumn, entries, map_column};
use super::types::letters;

/// The struct that a Variant physically is, with a field for each of the given keys.
///
/// # Errors
/// When a column is missing or has another type than the engine gives it.
pub(crate) fn column(rows: &RecordBatch, map: MapColumn, keys: &[&KeyFacts]) -> Result<(Field, ArrayRef)> {
    let array = map_column(rows, map)?;
    let (names, values) = entries(array)?;
    let letters = letters(rows, map)?;
    let mut builder = VariantArrayBuilder::new(array.len());
    for row in 0..array.len() {
        let mut object = builder.try_new_object()?;
        let letters = letters.value(row).bytes();
        let range = array.offsets()[row] as usize..array.offsets()[row + 1] as usize;
        for (entry, letter) in range.zip(letters) {
            let (name, value) = (names.value(entry), values.value(entry));
            match letter {
                b'i' => object.insert(name, value.parse::<i64>()?),
                b'd' => object.insert(name, value.parse::<f64>()?),
                b'b' => object.insert(name, value.parse::<bool>()?),
                // Lists stay in their text form: enough to tell what they cost.
                _ => object.insert(name, value),
            }
        }
        object.finish();
    }
    let variants = builder.build();
    let shredded: StructArray = if keys.is_empty() {
        variants.into_inner()
    } else {
        shred_variant(&variants, &DataType::Struct(shredded_fields(keys)))?.into_inner()
    };
    let field = Field::new(map.name(), shredded.data_type().clone(), false);
    Ok((field, Arc::new(shredded)))
}

/// The texts of one attribute, wherever they are in the Variants.
///
/// # Errors
/// When the array is no Variant.
pub(crate) fn texts(array: &ArrayRef, key: &str) -> Result<ArrayRef> {
    let path = VariantPath::new(vec![VariantPathElement::field(key)]);
    let text = Arc::new(Field::new("text", DataType::Utf8, true));
    Ok(variant_get(array, GetOptions::new_with_path(path).with_as_type(Some(text)))?)
}

fn shredded_fields(keys: &[&KeyFacts]) -> Fields {
    let fields = keys.iter().map(|key| {
        let data_type = match key {
            KeyFacts { is_integer: true, .. } => DataType::Int64,
            KeyFacts { is_double: true, .. } => DataType::Float64,
            KeyFacts { is_flag: true, .. } => DataType::Boolean,
            _ => DataType::Utf8,
        };
        Field::new(&key.key, data_type, true)
    });
    fields.collect()
}
