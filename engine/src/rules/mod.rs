//! Rules that look at records as they come in: which of them are dropped, and what is measured of them.
//!
//! A rule's filter is the filter of questions: the one translator makes it an expression, and that is evaluated over
//! the decoded rows, which have the columns of stored ones. What a rule drops is what a query with its filter finds.
//!
//! | module | what |
//! |---|---|
//! | `condition` | a filter, ready to be tested on rows that are not stored yet |
//! | `sampling` | drop rules: what they say, and what they decide about rows |
//! | `bucket` | the tokens of a rate limit |
//! | `metric` | metric rules: what is counted and summed |

mod bucket;
mod condition;
mod metric;
mod sampling;
#[cfg(test)]
mod tests;

pub use bucket::RateLimit;
pub use metric::{
    MAX_SERIES, Measured, Measurement, MetricField, MetricRule, MetricRules, PendingMeasurements,
};
pub(crate) use sampling::{CompiledSampling, Moment};
pub use sampling::{LevelAction, SamplingAction, SamplingRule, SamplingRules};
