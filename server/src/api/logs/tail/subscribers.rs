//! How many may follow at a time: each costs memory, and the test of every new row of its project.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::schema::ProjectId;

use crate::config::TailConfig;
use crate::error::ApiError;

/// Who follows; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct TailSubscribers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    max: usize,
    max_per_project: usize,
    /// Only projects with a subscriber.
    by_project: Mutex<HashMap<ProjectId, usize>>,
}

/// The place of one subscriber; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    shared: Arc<Shared>,
    project: ProjectId,
}

impl TailSubscribers {
    pub(crate) fn new(config: &TailConfig) -> Self {
        Self(Arc::new(Shared {
            max: config.max_subscribers,
            max_per_project: config.max_subscribers_per_project,
            by_project: Mutex::default(),
        }))
    }

    /// How many follow now.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().values().sum()
    }

    /// Takes a place.
    ///
    /// # Errors
    /// 429 when the project has all that it may have, 503 when the server has.
    pub(super) fn admit(&self, project: ProjectId) -> Result<Place, ApiError> {
        let Shared { max, max_per_project, .. } = *self.0;
        let mut by_project = self.0.lock();
        if by_project.get(&project).is_some_and(|count| *count >= max_per_project) {
            return Err(ApiError::too_many(format!("the project has {max_per_project} live tails already")));
        }
        if by_project.values().sum::<usize>() >= max {
            return Err(ApiError::unavailable(format!("the server has {max} live tails already")));
        }
        *by_project.entry(project).or_default() += 1;
        Ok(Place { shared: Arc::clone(&self.0), project })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, HashMap<ProjectId, usize>> {
        self.by_project.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_project = self.shared.lock();
        if let Some(count) = by_project.get_mut(&self.project) {
            *count -= 1;
            if *count == 0 {
                by_project.remove(&self.project);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_per_project_and_in_all() {
        let config = TailConfig { max_subscribers: 3, max_subscribers_per_project: 2, buffer_bytes: 1 };
        let subscribers = TailSubscribers::new(&config);
        let status = |project: i64| subscribers.admit(ProjectId(project)).unwrap_err().status().as_u16();
        let first = subscribers.admit(ProjectId(1)).unwrap();
        let _second = subscribers.admit(ProjectId(1)).unwrap();
        assert_eq!(status(1), 429);
        let other = subscribers.admit(ProjectId(2)).unwrap();
        assert_eq!((status(1), status(2), status(3)), (429, 503, 503));
        drop(first);
        let _third = subscribers.admit(ProjectId(1)).unwrap();
        drop(other);
        assert_eq!(subscribers.0.lock().len(), 1, "no entry is left of a project without subscribers");
        subscribers.admit(ProjectId(3)).unwrap();
    }
}
