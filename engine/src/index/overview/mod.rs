//! The recipe `overview`: what entries of the audit trail can be filtered by.
//!
//! Entries are of one *kind* when they agree in project, user, scope, activity, client, and whether staff acted. A file has
//! few kinds beside its entries, and which users, scopes, activities and clients a reader meets follows from the kinds that
//! the reader sees. Beside them stand the fields of the details: paths and the types of their values.
//!
//! | module | what |
//! |---|---|
//! | `fields` | the fields of details |
//! | `builder` | counting while entries pass by |
//! | `format` | the recipe's bytes |

mod builder;
mod fields;
mod format;

use super::text_list::TextList;

pub use builder::OverviewBuilder;
pub use fields::{DetailFields, FieldType, merge_fields};

/// What some entries have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// Rising, each once, like everything below.
    pub(super) projects: Box<[i64]>,
    pub(super) users: Box<[i64]>,
    pub(super) scopes: TextList,
    pub(super) activities: TextList,
    pub(super) clients: TextList,
    pub(super) kinds: Box<[Kind]>,
    pub(super) fields: DetailFields,
}

/// A kind of entries, by places in the lists; 0 stands for null where there can be none, else the place plus one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) project: u32,
    pub(super) scope: u32,
    pub(super) activity: u32,
    /// Whether staff acted: 0 null, 1 no, 2 yes.
    pub(super) was_impersonated: u32,
    pub(super) client: u32,
    pub(super) user: u32,
}

/// What decides who sees an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryClass<'a> {
    /// None for what concerns the organization.
    pub project: Option<i64>,
    /// Type of the resource.
    pub scope: &'a str,
    /// What was done.
    pub activity: &'a str,
    /// Whether staff acted.
    pub was_impersonated: Option<bool>,
}

/// What the entries of some classes have, each rising.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassValues<'a> {
    /// Who did it.
    pub users: Vec<i64>,
    /// Types of resources.
    pub scopes: Vec<&'a str>,
    /// What was done.
    pub activities: Vec<&'a str>,
    /// What callers say to be.
    pub clients: Vec<&'a str>,
}

impl Overview {
    /// What the entries of the classes have that a reader sees. Asks once for each class, and costs one look at each
    /// kind.
    pub fn values_of(&self, is_seen: impl Fn(&EntryClass<'_>) -> bool) -> ClassValues<'_> {
        let mut users = vec![false; self.users.len()];
        let mut scopes = vec![false; self.scopes.len()];
        let mut activities = vec![false; self.activities.len()];
        let mut clients = vec![false; self.clients.len()];
        for kinds in self.kinds.chunk_by(|one, other| one.class() == other.class()) {
            if !is_seen(&self.class_of(&kinds[0])) {
                continue;
            }
            scopes[kinds[0].scope as usize] = true;
            activities[kinds[0].activity as usize] = true;
            for kind in kinds {
                mark(&mut users, kind.user);
                mark(&mut clients, kind.client);
            }
        }
        ClassValues {
            users: self
                .users
                .iter()
                .zip(users)
                .filter(|(_, is_met)| *is_met)
                .map(|(user, _)| *user)
                .collect(),
            scopes: met(&self.scopes, &scopes),
            activities: met(&self.activities, &activities),
            clients: met(&self.clients, &clients),
        }
    }

    /// The fields of all details.
    pub fn fields(&self) -> &DetailFields {
        &self.fields
    }

    /// How many kinds there are.
    pub fn num_kinds(&self) -> usize {
        self.kinds.len()
    }

    /// Memory that it takes.
    pub fn memory_bytes(&self) -> usize {
        let texts = [&self.scopes, &self.activities, &self.clients];
        size_of::<Self>()
            + size_of_val::<[i64]>(&self.projects)
            + size_of_val::<[i64]>(&self.users)
            + texts.into_iter().map(TextList::memory_bytes).sum::<usize>()
            + size_of_val::<[Kind]>(&self.kinds)
            + fields::size_bytes(&self.fields)
    }

    fn class_of(&self, kind: &Kind) -> EntryClass<'_> {
        EntryClass {
            project: place(kind.project).map(|place| self.projects[place]),
            scope: self.scopes.get(kind.scope as usize),
            activity: self.activities.get(kind.activity as usize),
            was_impersonated: place(kind.was_impersonated).map(|flag| flag == 1),
        }
    }
}

impl Kind {
    fn class(&self) -> [u32; 4] {
        [self.project, self.scope, self.activity, self.was_impersonated]
    }
}

/// A place, unless it stands for null.
fn place(number: u32) -> Option<usize> {
    number.checked_sub(1).map(|place| place as usize)
}

fn mark(marks: &mut [bool], number: u32) {
    if let Some(place) = place(number) {
        marks[place] = true;
    }
}

fn met<'a>(texts: &'a TextList, marks: &[bool]) -> Vec<&'a str> {
    texts.iter().zip(marks).filter(|(_, is_met)| **is_met).map(|(text, _)| text).collect()
}
