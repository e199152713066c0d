//! What a recipe is to the cache.

use crate::index::attribute_values::AttributeValues;
use crate::index::bytes::Decoded;
use crate::index::format::RecipeId;
use crate::index::ids::Ids;
use crate::index::overview::Overview;
use crate::index::rollup::Rollup;
use crate::index::words::Words;

/// What a recipe is to the cache.
pub(super) trait Cached: Send + Sync + Sized + 'static {
    const ID: RecipeId;
    fn decode(bytes: &[u8], num_rows: u64) -> Decoded<Self>;
    fn memory_bytes(&self) -> usize;
}

/// Recipes have the name of their id, and say these things of themselves.
macro_rules! cached {
    ($($recipe:ident),+) => {$(
        impl Cached for $recipe {
            const ID: RecipeId = RecipeId::$recipe;

            fn decode(bytes: &[u8], num_rows: u64) -> Decoded<Self> {
                Self::decode(bytes, num_rows)
            }

            fn memory_bytes(&self) -> usize {
                self.memory_bytes()
            }
        }
    )+};
}

cached!(Rollup, AttributeValues, Words, Ids, Overview);
