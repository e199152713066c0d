//! A seeded simulation of the storage engine under faults.
//!
//! A simulated machine (`world.rs`) has a disk that forgets what was not synced (`disk.rs`), an object store
//! that fails and loses answers (`store.rs`), a catalog whose transactions fail (`catalog_faults.rs`) and a clock
//! that jumps. The real engine runs on it, without background work of its own: a seed decides step by step
//! (`steps.rs`, `ingestion.rs`) what comes in, what is flushed, published, truncated and deleted, what fails,
//! and where, in the middle of what, the machine stops. A model (`model.rs`) knows what must be stored; the
//! rows are read by plain means (`reader.rs`) and compared after each start and every few steps (`checks.rs`).
//!
//! A seed that fails prints itself:
//!
//! ```text
//! TIMBERLINE_SIM_SEED=42 cargo test --workspace --lib simulation
//! TIMBERLINE_SIM_SEEDS=5000 cargo test --workspace --lib simulation
//! ```
//!
//! Steps run one after another, so that a seed decides everything. Ids of files differ from run to run; nothing
//! depends on them but for their order, which is that of their making.

mod catalog_faults;
mod checks;
mod disk;
mod faults;
mod ingestion;
mod model;
mod reader;
mod steps;
mod store;
mod tests;
mod world;

use std::fmt;
use std::time::Duration;

use rand::Rng;

use steps::weigh_steps;
use world::World;

/// Why a simulation has failed: an invariant that does not hold.
#[derive(Debug)]
struct Broken(String);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A machine that breaks a promise, to see whether the simulation notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sabotage {
    None,
    /// The disk says that frames are synced, and they are not.
    AppendIsNeverSynced,
    /// The disk says that names are synced, and they are not.
    DirectoryIsNeverSynced,
    /// The store says that it has stored data files, and it has not.
    PutIsForgotten,
    /// The store says that it has deleted objects, and it has not.
    DeleteIsForgotten,
    /// The catalog forgets which batches are in data files.
    RangesAreForgotten,
}

/// Seeds take about a second: after this long one is taken to hang, and says so.
const PATIENCE: Duration = Duration::from_secs(180);

/// Runs a seed; returns what has happened and whether everything held.
fn simulate(seed: u64, sabotage: Sabotage) -> (Vec<String>, Result<(), Broken>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(1)
        .build()
        .expect("a runtime");
    let mut world = World::new(seed, sabotage);
    let result = runtime.block_on(async {
        let run = tokio::time::timeout(PATIENCE, run(&mut world, seed)).await;
        run.unwrap_or_else(|_| Err(Broken("something waits for ever".to_owned())))
    });
    let trace = world.faults.trace();
    drop(world);
    runtime.shutdown_background();
    (trace, result)
}

async fn run(world: &mut World, seed: u64) -> Result<(), Broken> {
    let steps = weigh_steps(&mut world.rng);
    let num_steps = world.rng.random_range(10..60);
    world.prepare().await?;
    world.start().await?;
    for number in 0..num_steps {
        let step = world.choose(&steps);
        world.step(step).await?;
        world.check_files_exist().await?;
        if number % 5 == 4 {
            world.check_rows().await?;
            world.check_recovery(seed + number).await?;
        }
        if world.sabotage == Sabotage::RangesAreForgotten {
            world.catalog.forget_ranges().await?;
        }
    }
    world.settle(seed).await
}
