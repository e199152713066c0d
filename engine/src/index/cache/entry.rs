//! What is kept, and under which key.

use std::any::Any;
use std::sync::Arc;

use uuid::Uuid;

use crate::index::absence::Absence;
use crate::index::format::RecipeId;

/// Memory that an entry takes beside its content.
const ENTRY_OVERHEAD_BYTES: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) file_id: Uuid,
    pub(super) part: Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Part {
    Head,
    Recipe(RecipeId),
}

#[derive(Clone)]
pub(super) enum Entry {
    Present { content: Arc<dyn Any + Send + Sync>, memory_bytes: usize },
    Absent { absence: Absence, until_us: i64 },
}

impl Entry {
    pub(super) fn present<T: Send + Sync + 'static>(content: &Arc<T>, memory_bytes: usize) -> Self {
        let content = Arc::clone(content);
        Self::Present { content, memory_bytes }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        ENTRY_OVERHEAD_BYTES
            + match self {
                Self::Present { memory_bytes, .. } => *memory_bytes,
                Self::Absent { absence, .. } => match absence {
                    Absence::Newer(message) | Absence::Damaged(message) => message.len(),
                    _ => 0,
                },
            }
    }
}
