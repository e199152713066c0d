//! Sidecars against plain counts over the same rows.

#![allow(clippy::single_range_in_vec_init, reason = "one range is meant")]

mod cache;
mod damage;
mod facts;
mod fixture;
mod ids;
mod limits;
mod overview;
mod rollup;
mod rows;
mod values;
mod words;

use object_store::path::Path;
use uuid::Uuid;

use self::rows::{Row, batch};
use super::{BuiltSidecar, Recipes, Sidecar, SidecarBuilder, SidecarLimits};

/// Limits that nothing in these tests reaches.
fn generous() -> SidecarLimits {
    SidecarLimits {
        max_cells: 1 << 20,
        min_rows_per_cell: 1,
        max_values_per_key: 1 << 20,
        min_value_bytes: 4 << 20,
        ..SidecarLimits::default()
    }
}

fn recipes(rows: &[Row], limits: &SidecarLimits) -> Recipes {
    Recipes::of_rows([&batch(rows)], limits).unwrap().unwrap()
}

fn build(rows: &[Row], limits: &SidecarLimits) -> BuiltSidecar {
    let mut builder = SidecarBuilder::new(limits);
    builder.add(&batch(rows)).unwrap();
    builder.finish(file_id(), rows.len() as u64).unwrap()
}

fn file_id() -> Uuid {
    Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_0001)
}

fn path() -> Path {
    Path::from("logs/project=7/date=2026-01-12/file.sidecar")
}

fn open(built: &BuiltSidecar) -> Sidecar {
    Sidecar::open(&path(), built.bytes.clone()).unwrap()
}
