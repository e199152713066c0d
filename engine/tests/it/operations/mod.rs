//! Operations on a folder as a whole: rebuild, doctor, backup, restore, and how damage shows.

mod backup;
mod damage;
mod doctor;
pub(crate) mod harness;
mod manifests;
mod rebuild;
