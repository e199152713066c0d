//! Notifications on their way to whoever wants them: by webhook, Slack, e-mail or PagerDuty.
//!
//! Whatever notifies (alerts, subscriptions to the audit trail) puts a [`Notification`] into the `outbox` in the
//! transaction of what it tells about: one row for each destination. From then on it is sent until the receiver takes
//! it, or refuses it, or was tried often enough; what stops the process in between only means that it is sent once more.
//! Receivers tell repeats by the notification's id.
//!
//! Reading order: [`notification`], what is told; [`target`], where it goes; `outbox`, where it waits; `worker` and
//! `courier`, who sends it; `outcome`, what follows from a try; `address`, what is called at all, and `http`; then one
//! file for each way of sending: `webhook`, `slack`, `email`, `pagerduty`.

pub(crate) mod address;
mod courier;
mod email;
mod http;
pub mod notification;
pub(crate) mod outbox;
mod outcome;
mod pagerduty;
mod slack;
pub mod target;
#[cfg(test)]
mod tests;
mod webhook;
mod worker;

pub use address::AllowedTarget;
pub(crate) use courier::DeliveryCounts;
pub use courier::DeliveryError;
pub use email::MailerError;
pub use notification::{Message, Notification};
pub use target::Target;
pub(crate) use worker::Delivery;
