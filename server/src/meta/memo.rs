//! What the database says of callers, kept for as long as nothing in it changes.
//!
//! Who calls is asked with every request, and takes several statements. An SQLite file tells at the cost of one short
//! statement whether anybody has committed since, be it another process: what is kept never outlives a change. A
//! PostgreSQL server has no such number, and is asked every time.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use engine::database::{ChangeWatch, DatabaseError};
use engine::schema::ProjectId;
use parking_lot::Mutex;

use super::access_control::AccessControl;
use super::organization::Organization;
use super::personal_api_key::PersonalApiKey;
use super::project::Project;
use super::user::User;
use super::{Level, Meta, MetaError};
use crate::secret;

/// Answers of a kind that are kept at most.
const MAX_ANSWERS: usize = 4_096;

/// Kept answers; none for a database that does not tell of changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Memo(Option<Arc<Kept>>);

struct Kept {
    watch: ChangeWatch,
    /// Of the database, when it was last looked at.
    version: AtomicI64,
    /// By the hash of the key.
    keys: Answers<String, (PersonalApiKey, User)>,
    projects: Answers<i64, Project>,
    organizations: Answers<String, Organization>,
    levels: Answers<(String, i64), Option<Level>>,
    access_controls: Answers<(String, i64, i64), Vec<AccessControl>>,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("version", &self.version).finish_non_exhaustive()
    }
}

/// Answers to one kind of question, and the version of the database that they are of.
struct Answers<K, V>(Mutex<(i64, HashMap<K, V>)>);

impl<K, V> Default for Answers<K, V> {
    fn default() -> Self {
        Self(Mutex::new((0, HashMap::new())))
    }
}

impl<K: Eq + Hash, V: Clone> Answers<K, V> {
    fn get(&self, version: i64, key: &K) -> Option<V> {
        let kept = self.0.lock();
        if kept.0 == version { kept.1.get(key).cloned() } else { None }
    }

    fn put(&self, version: i64, key: K, answer: V) {
        let mut kept = self.0.lock();
        if kept.0 != version || kept.1.len() >= MAX_ANSWERS {
            *kept = (version, HashMap::new());
        }
        kept.1.insert(key, answer);
    }
}

impl Memo {
    /// For the database in a file.
    pub(super) async fn of_file(path: &Path) -> Result<Self, DatabaseError> {
        let watch = ChangeWatch::open(path).await?;
        Ok(Self(Some(Arc::new(Kept {
            watch,
            version: AtomicI64::new(0),
            keys: Answers::default(),
            projects: Answers::default(),
            organizations: Answers::default(),
            levels: Answers::default(),
            access_controls: Answers::default(),
        }))))
    }

    /// Lets the file go.
    pub(super) async fn close(&self) {
        if let Some(kept) = &self.0 {
            kept.watch.close().await;
        }
    }

    /// A kept answer, or what is read now. What is read while somebody commits is of the version before at the
    /// earliest, and is kept under that one.
    async fn answer<K: Eq + Hash, V: Clone>(
        &self,
        of: impl Fn(&Kept) -> &Answers<K, V>,
        key: K,
        read: impl Future<Output = Result<Option<V>, MetaError>>,
    ) -> Result<Option<V>, MetaError> {
        let Some(kept) = &self.0 else { return read.await };
        let version = kept.version.load(Ordering::Acquire);
        if let Some(answer) = of(kept).get(version, &key) {
            return Ok(Some(answer));
        }
        let answer = read.await?;
        if let Some(answer) = &answer {
            of(kept).put(version, key, answer.clone());
        }
        Ok(answer)
    }
}

/// As of the last [`Meta::see_changes`]. What there is not is looked for every time.
impl Meta {
    /// Finds out whether anything was changed: what is asked from here on is as of now, or later.
    pub(crate) async fn see_changes(&self) -> Result<(), MetaError> {
        if let Some(kept) = &self.memo.0 {
            kept.watch.look(|version| kept.version.store(version, Ordering::Release)).await?;
        }
        Ok(())
    }

    /// As [`Meta::personal_api_key`].
    pub(crate) async fn known_key(&self, key: &str) -> Result<Option<(PersonalApiKey, User)>, MetaError> {
        self.memo.answer(|kept| &kept.keys, secret::hash(key), self.personal_api_key(key)).await
    }

    /// As [`Meta::project`].
    pub(crate) async fn known_project(&self, id: ProjectId) -> Result<Option<Project>, MetaError> {
        self.memo.answer(|kept| &kept.projects, id.0, self.project(id)).await
    }

    /// As [`Meta::organization`].
    pub(crate) async fn known_organization(&self, id: &str) -> Result<Option<Organization>, MetaError> {
        self.memo.answer(|kept| &kept.organizations, id.to_owned(), self.organization(id)).await
    }

    /// As [`Meta::membership_level`].
    pub(crate) async fn known_level(
        &self,
        organization_id: &str,
        user_id: i64,
    ) -> Result<Option<Level>, MetaError> {
        let read = async { self.membership_level(organization_id, user_id).await.map(Some) };
        let key = (organization_id.to_owned(), user_id);
        Ok(self.memo.answer(|kept| &kept.levels, key, read).await?.flatten())
    }

    /// As [`Meta::access_controls_of_user`], for one project.
    pub(crate) async fn known_access_controls(
        &self,
        organization_id: &str,
        user_id: i64,
        project: ProjectId,
    ) -> Result<Vec<AccessControl>, MetaError> {
        let read =
            async { self.access_controls_of_user(organization_id, user_id, Some(project)).await.map(Some) };
        let key = (organization_id.to_owned(), user_id, project.0);
        Ok(self.memo.answer(|kept| &kept.access_controls, key, read).await?.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::bootstrap::{FIRST_PROJECT, bootstrap};
    use crate::meta::testing::on_every_backend;

    const NOW: i64 = 1_765_881_180_000_000;

    #[tokio::test]
    async fn what_is_known_never_outlives_a_change() {
        on_every_backend(|meta| async move {
            bootstrap(&meta, NOW).await.unwrap();
            let name = async || {
                meta.see_changes().await.unwrap();
                meta.known_project(FIRST_PROJECT).await.unwrap().unwrap().settings.name
            };
            let first = name().await;
            assert_eq!(name().await, first);
            for new in ["b", "c", "b"] {
                sqlx::query("UPDATE projects SET name = $1").bind(new).execute(&meta.pool).await.unwrap();
                assert_eq!(name().await, new);
                assert_eq!(name().await, new);
            }
        })
        .await;
    }

    #[tokio::test]
    async fn without_a_change_a_file_is_not_asked_again() {
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::open(&folder.path().join("meta.db")).await.unwrap();
        bootstrap(&meta, NOW).await.unwrap();
        meta.see_changes().await.unwrap();
        let project = meta.known_project(FIRST_PROJECT).await.unwrap();
        let reading = async { panic!("nobody reads") };
        let memo = &meta.memo;
        assert_eq!(memo.answer(|kept| &kept.projects, FIRST_PROJECT.0, reading).await.unwrap(), project);
    }

    #[tokio::test]
    async fn what_was_read_while_somebody_committed_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::open(&folder.path().join("meta.db")).await.unwrap();
        bootstrap(&meta, NOW).await.unwrap();
        meta.see_changes().await.unwrap();
        let slow = async {
            let before = meta.project(FIRST_PROJECT).await;
            sqlx::query("UPDATE projects SET name = 'new'").execute(&meta.pool).await.unwrap();
            meta.see_changes().await.unwrap();
            before
        };
        let old = meta.memo.answer(|kept| &kept.projects, FIRST_PROJECT.0, slow).await.unwrap().unwrap();
        assert_ne!(old.settings.name, "new");
        assert_eq!(meta.known_project(FIRST_PROJECT).await.unwrap().unwrap().settings.name, "new");
    }

    #[test]
    fn answers_are_bounded() {
        let answers = Answers::default();
        for key in 0..3 * MAX_ANSWERS {
            answers.put(1, key, key);
            assert_eq!(answers.get(1, &key), Some(key));
            assert!(answers.0.lock().1.len() <= MAX_ANSWERS);
        }
        assert_eq!(answers.get(2, &0), None);
    }
}
