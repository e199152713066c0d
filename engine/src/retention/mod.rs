//! Retention: which rows have expired, and when they leave the storage.
//!
//! A row expires by its own time, or by the time it came in when it is dated later than that. What has expired is
//! hidden from every question at once, by a cutoff that each snapshot carries; it leaves the storage later, and by
//! a clock of its own that does not believe a sudden jump.
//!
//! | module | what |
//! |---|---|
//! | `policy` | what a project asks for |
//! | `compiled` | a policy that was checked, its conditions ready to be tested |
//! | `cutoff` | what a policy means at one moment: for rows whose bounds are known, and for rows themselves |
//! | `removal` | which files are dropped, and which are to be rewritten |
//! | `removal_clock` | the time by which rows leave the storage |
//! | `tables` | the policies of all tables |

mod compiled;
mod cutoff;
mod policy;
mod removal;
mod removal_clock;
mod tables;

pub use compiled::CompiledRetention;
pub use cutoff::{RetentionCutoff, Standing, TimeBounds};
pub use policy::{MAX_RETENTION_DAYS, MAX_RETENTION_RULES, RetentionPolicy, RetentionRule};
pub use removal::{FileFate, KindRows, Recount, fate_of_counted, files_to_drop};
pub(crate) use tables::RetentionTables;

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;
