//! Notifications on their way to whoever wants them: by webhook, Slack, e-mail or PagerDuty.
//!
//! Whatever notifies (alerts, subscriptions to the audit trail) puts a [`Notification`] into the [`outbox`] in the
//! transaction of what it tells about: one row for each destination. From then on it is sent until the receiver takes
//! it, or refuses it, or was tried often enough; what stops the process in between only means that it is sent once more.
//! Receivers tell repeats by the notification's id.
//!
//! Reading order: [`notification`], what is told; [`target`], where it goes; `outbox`; `address`, what is called at all.

pub(crate) mod address;
pub mod notification;
pub(crate) mod outbox;
pub mod target;

pub use address::AllowedTarget;
pub use notification::{Message, Notification};
pub use target::Target;
