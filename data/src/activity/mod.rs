//! Activity (audit) entries: who changed what, with the values before and after.

mod entry;
mod generator;
mod resources;

pub use entry::{Activity, ActivityEntry, Actor, Change, ChangeAction, Detail, Trigger};
pub use generator::{ActivityGenerator, ActivitySpec};
