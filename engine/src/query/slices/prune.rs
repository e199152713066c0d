//! Which rows of a file need not be looked at, by what its sidecar says.

use std::ops::Range;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::prelude::Expr;

use super::super::activity::EntryNeeds;
use super::super::cost::CostMeter;
use super::super::filter::{BodyTest, IdTest, body_test, id_test};
use super::super::planner::{CellFilter, Sidecars};
use super::super::session::QuerySession;
use super::open_file::{OpenFile, Slice};
use crate::index::ids::STRETCH_ROWS;
use crate::index::words::{BLOCK_ROWS, BlockMatch};
use crate::index::{Rollup, Words};
use crate::schema::Dataset;

/// What is known of the rows that meet a condition, without looking at them.
#[derive(Debug)]
pub(super) struct Pruner {
    /// Of services and severities; none when the condition says nothing of them.
    cells: Option<CellFilter>,
    /// What bodies or details are tested for. All have to hold.
    bodies: Vec<BodyTest>,
    /// Ids that rows must have. All have to hold.
    ids: Vec<IdTest>,
    /// Whether there is nothing else in the condition.
    is_one_body_test: bool,
    sidecars: Sidecars,
    cost: Arc<CostMeter>,
}

/// Whether the number of rows is enough, so that rows that are known need not be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::query) enum Wanted {
    Rows,
    Number,
}

impl Pruner {
    pub(super) fn new(session: &QuerySession, condition: &Expr) -> Result<Self> {
        match session.table.snapshot().table.dataset() {
            Dataset::Logs => Self::of_records(session, condition),
            Dataset::Activity => Ok(Self::of_entries(session, condition)),
        }
    }

    fn of_entries(session: &QuerySession, condition: &Expr) -> Self {
        let EntryNeeds { words: bodies, ids } = EntryNeeds::of(condition);
        let (sidecars, cost) = (session.sidecars.clone(), Arc::clone(&session.cost));
        Self { cells: None, bodies, ids, is_one_body_test: false, sidecars, cost }
    }

    fn of_records(session: &QuerySession, condition: &Expr) -> Result<Self> {
        let parts = split_conjunction(condition);
        let (mut bodies, mut ids) = (Vec::new(), Vec::new());
        let mut cells = Vec::new();
        for part in &parts {
            ids.extend(id_test(part));
            match body_test(part) {
                Some(test) => bodies.push(test),
                None if CellFilter::of(&session.session, part)?.is_some() => cells.push((*part).clone()),
                None => {}
            }
        }
        let is_one_body_test = parts.len() == 1 && bodies.len() == 1;
        let cells = match conjunction(cells) {
            Some(cells) => CellFilter::of(&session.session, &cells)?.filter(|cells| !cells.is_always()),
            None => None,
        };
        let (sidecars, cost) = (session.sidecars.clone(), Arc::clone(&session.cost));
        Ok(Self { cells, bodies, ids, is_one_body_test, sidecars, cost })
    }

    /// What is known of a file; reads the recipes that it needs.
    pub(super) async fn of_file(&self, open: &OpenFile) -> Result<FilePruner> {
        let mut known = FilePruner {
            cells: None,
            blocks: None,
            stretches: None,
            is_exact: self.is_one_body_test,
            num_rows: open.file.num_rows,
        };
        if open.file.sidecar_bytes == 0 {
            return Ok(known);
        }
        if let Some(cells) = &self.cells
            && let Some(rollup) = self.sidecars.rollup(&open.file, &self.cost).await
        {
            let is_meant = cells.test(rollup.series())?;
            known.cells = Some((rollup, is_meant));
        }
        if !self.bodies.is_empty()
            && let Some(words) = self.sidecars.words(&open.file, &self.cost).await
        {
            for test in &self.bodies {
                let Some(blocks) = blocks_of(&words, test) else { continue };
                known.blocks = Some(match known.blocks {
                    None => blocks,
                    Some(before) => both(&before, &blocks),
                });
            }
        }
        if !self.ids.is_empty()
            && let Some(ids) = self.sidecars.ids(&open.file, &self.cost).await
        {
            for test in &self.ids {
                let Some(mut stretches) = ids.stretches_with(test.source(), &test.ids()) else { continue };
                if let Some(before) = &known.stretches {
                    stretches.retain(|stretch| before.contains(stretch));
                }
                known.stretches = Some(stretches);
            }
        }
        if known.cells.is_some() || known.blocks.is_some() || known.stretches.is_some() {
            self.cost.add_sidecar(open.file.id);
        }
        Ok(known)
    }
}

/// What is known of one file.
#[derive(Debug)]
pub(super) struct FilePruner {
    /// When rows of which service and severity were, and which of these are meant.
    cells: Option<(Arc<Rollup>, Vec<bool>)>,
    /// The only blocks that may have rows, rising.
    blocks: Option<Vec<BlockMatch>>,
    /// The only stretches that may have rows, rising.
    stretches: Option<Vec<u32>>,
    /// Whether the numbers of rows of blocks are those of the condition.
    is_exact: bool,
    /// Of the file.
    num_rows: u64,
}

impl FilePruner {
    /// The number of rows that are known to meet the condition, in blocks inside of `covered`: stretches of the file's
    /// rows all of which are meant, and of which the number is enough.
    pub(super) fn num_known(&self, covered: &[Range<u64>]) -> u64 {
        let blocks = self.blocks.iter().flatten().filter(|block| self.is_known(block, covered));
        blocks.filter_map(|block| block.num_rows).sum()
    }

    /// The rows of a slice that are left to be looked at, rising: none when there are no such rows, and no list when
    /// they are all.
    pub(super) fn left(&self, slice: &Slice, covered: &[Range<u64>]) -> Option<Option<Vec<u32>>> {
        if let Some((rollup, is_meant)) = &self.cells {
            let instants = slice.min_us..slice.max_us.saturating_add(1);
            let mut rows = rollup.buckets_in(&instants);
            if !rows.any(|bucket| bucket.rows().any(|rows| is_meant[rows.series])) {
                return None;
            }
        }
        let rows = slice.first_row..slice.first_row + slice.rows.len() as u64;
        if let Some(stretches) = &self.stretches {
            let mut touched = rows.start / STRETCH_ROWS..=rows.end.saturating_sub(1) / STRETCH_ROWS;
            if !touched.any(|stretch| stretches.iter().any(|known| u64::from(*known) == stretch)) {
                return None;
            }
        }
        let Some(blocks) = &self.blocks else { return Some(None) };
        let mut left: Vec<u32> = Vec::new();
        for block in &blocks[blocks.partition_point(|block| block_rows(block).end <= rows.start)..] {
            let of_block = block_rows(block);
            if of_block.start >= rows.end {
                break;
            }
            if !self.is_known(block, covered) {
                let (start, end) = (of_block.start.max(rows.start), of_block.end.min(rows.end));
                left.extend((start - rows.start) as u32..(end - rows.start) as u32);
            }
        }
        (!left.is_empty()).then_some(Some(left))
    }

    fn is_known(&self, block: &BlockMatch, covered: &[Range<u64>]) -> bool {
        let rows = block_rows(block);
        let end = rows.end.min(self.num_rows);
        let is_covered = covered.iter().any(|stretch| stretch.start <= rows.start && end <= stretch.end);
        self.is_exact && block.num_rows.is_some() && is_covered
    }
}

fn block_rows(block: &BlockMatch) -> Range<u64> {
    let start = u64::from(block.block) * BLOCK_ROWS;
    start..start + BLOCK_ROWS
}

/// The blocks that may have bodies which pass a test; none for all.
fn blocks_of(words: &Words, test: &BodyTest) -> Option<Vec<BlockMatch>> {
    let mut all: Option<Vec<BlockMatch>> = None;
    for needles in &test.alternatives {
        let mut found: Option<Vec<BlockMatch>> = None;
        for needle in needles {
            let Some(blocks) = words.blocks_with(needle) else { continue };
            found = Some(match found {
                None => blocks,
                Some(before) => both(&before, &blocks),
            });
        }
        // Any row may pass this alternative.
        let mut found = found?;
        if !test.is_contained {
            found.iter_mut().for_each(|block| block.num_rows = None);
        }
        all = Some(match all {
            None => found,
            Some(before) => either(before, found),
        });
    }
    all
}

/// Blocks of both, of which no number is known any more.
fn both(left: &[BlockMatch], right: &[BlockMatch]) -> Vec<BlockMatch> {
    let is_in = |block: &&BlockMatch| right.binary_search_by_key(&block.block, |other| other.block).is_ok();
    left.iter().filter(is_in).map(|block| BlockMatch { num_rows: None, ..*block }).collect()
}

fn either(left: Vec<BlockMatch>, right: Vec<BlockMatch>) -> Vec<BlockMatch> {
    let mut blocks: Vec<BlockMatch> = left.into_iter().chain(right).collect();
    blocks.sort_unstable_by_key(|block| block.block);
    blocks.dedup_by_key(|block| block.block);
    blocks.iter_mut().for_each(|block| block.num_rows = None);
    blocks
}
