//! SQL for people and programs, whichever door they come through.
//!
//! Every door finds an [`Asker`] first, who asks about one project, and asks through it: what may be read is decided there
//! and in the engine, and never by a door.
//!
//! | module | what |
//! |---|---|
//! | `asker` | who asks about which project, and what of it they may read |
//! | `system` | tables that the server brings |
//!
//! HTTP is a door, with the other endpoints of the API.

mod asker;
mod system;

pub(crate) use self::asker::{Asker, about_query};
