//! Questions about the audit trail.
//!
//! | module | what |
//! |---|---|
//! | `model` | what can be asked |
//! | `condition` | what a filter means |
//! | `text_test` | tests of text that SQL has no words for |
//! | `needs` | what a condition needs of entries, so that others need not be tested |
//! | `detail` | what a test of an entry's detail means |
//! | `expression` | a condition that a caller writes as SQL |
//! | `page` | entries in order |
//! | `tenant_table` | what a reader may see, as a table for SQL |
//! | `values` | what entries have: actors, scopes, fields of details |
//! | `overview` | what there is to filter by, found out once for each data file |
//! | `chain` | entries by their place in the chain |

mod chain;
mod condition;
mod detail;
mod expression;
mod model;
mod needs;
mod overview;
mod page;
mod tenant_table;
mod text_test;
mod values;

pub use detail::{DetailPath, DetailTest, DetailValue};
pub use expression::ActivityExpression;
pub use model::{
    ActivityCursor, ActivityFilter, ActivityOrder, ActivityQuery, ActivityTenant, HiddenEntries,
};
pub(super) use needs::EntryNeeds;
pub(super) use overview::Overviews;
pub use page::ActivityPage;
pub(crate) use tenant_table::tenant_table;
pub use values::ActivityValues;

pub use crate::index::overview::{DetailFields, FieldType};
